"""Wikitext into text: what a reader sees, in linear time, whatever the markup."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.wikitext import Wiki, plain_text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Bold''' and ''italic'' and '''''both'''''", "Bold and italic and both"),
        ("[[house|houses]], [[cat]]s, [[:Category:Dogs]]", "houses, cats, Category:Dogs"),
        ("a [https://example.org label] b [https://example.org] c", "a label b c"),
        ("a<ref name='x'>{{cite|t={{d}}}}</ref> b<ref name=y /> c", "a b c"),
        ("a {{box|{{in|x}}}} b {{{p|q}}} c {{d|{{{e}}}}} f", "a b c f"),
        ("{{lang|fr|le chat}}, {{convert|5|km|mi}}, {{nowrap|a b}}", "le chat, 5 km, a b"),
        ("see <!-- not -->this", "see this"),
        ("x<br/>y", "x\ny"),
        ("* one\n# two\n: three\n;; four", "- one\n- two\nthree\nfour"),
        ("a <math>x^2 < y</math> b", "a $x^2 < y$ b"),
        ("<nowiki>[[not a link]] '''kept'''</nowiki>", "[[not a link]] '''kept'''"),
        ("AT&amp;T &lt;b&gt;", "AT&T <b>"),
        ("[[File:A.jpg|thumb|a [[cat]] {{x}}]]after", "after"),
        ("[[fr:Chat]]text", "text"),
        ("__NOTOC__ text", "text"),
        ("== Title ==\nText\n== Empty ==\n{{reflist}}", "Title\n\nText"),
        ("== A ==\n=== B ===\nText", "A\n\nB\n\nText"),
        ("left open: {{ and [[ and {{a|b", "left open: {{ and [[ and {{a|b"),
        ("never opened: }} and ]] and |}", "never opened: }} and ]] and |}"),
    ],
)  # fmt: skip
def test_markup_is_gone_and_words_stay(wikitext: str, text: str) -> None:
    assert plain_text(wikitext).text == text


def test_tables_are_rows_and_boxes_go() -> None:
    table = (
        '{| class="wikitable"\n|+ Sizes\n! Name !! km\n|-\n| style="a:b" | [[Rhine]] || 1233\n|}'
    )
    box = '{| class="infobox"\n| hidden\n|}'
    assert plain_text(f"{box}\nBefore\n{table}\nAfter").text == (
        "Before\n\nSizes\nName | km\nRhine | 1233\n\nAfter"
    )


def test_code_keeps_its_shape() -> None:
    code = "def f(x):\n    return [[x]] # '''no''' {{markup}}"
    found = plain_text(f'Text\n<syntaxhighlight lang="python">\n{code}\n</syntaxhighlight>').text
    assert found == f"Text\n\n{code}"


def test_namespaces_of_the_wiki() -> None:
    german = Wiki(frozenset({"datei"}), frozenset({"kategorie"}))
    found = plain_text("[[Datei:A.jpg|mini]]Text [[Kategorie:Fluss|Rhein]]", german)
    assert (found.text, found.categories) == ("Text", ("Fluss",))


_HOSTILE = {
    "templates": "{{a|" * 30_000,
    "links": "[[a|" * 30_000,
    "tables": "{|\n|-\n|{{a|\n" * 9_000,
    "references": "<ref>{{a|[[b|" * 9_000,
    "elements": "<b>" * 40_000,
    "closed": "[[a|" * 30_000 + "]]" * 30_000,
    "quotes": "''a'''b" * 18_000,
    "external": "[http://" * 15_000,
    "comments": "<!--" * 30_000,
    "headings": "\n== a ==" * 15_000 + "=" * 9_000,
    "spaces": " \t" * 60_000 + "x",
    "attributes": "{| " + "class=" * 20_000 + "\n|}",
    "open tags": "<a " * 40_000,
}


@pytest.mark.parametrize("kind", _HOSTILE)
def test_hostile_markup_costs_linear_time(kind: str) -> None:
    """A parser that tries again at each opening takes more than 10 s for most of these."""
    started = time.process_time()
    plain_text(_HOSTILE[kind])
    assert time.process_time() - started < 3


_PIECES = st.sampled_from(
    ["{{", "}}", "{{{", "}}}", "[[", "]]", "{|", "|}", "\n", "|", "=", "==", "'''", "<ref>",
     "</ref>", "<ref/>", "<nowiki>", "</nowiki>", "<!--", "-->", "<math>", "</math>", "\n{|",
     "|-", "||", "!", "*", "[http://a", "]", "&#0;", "\ue000", "\ue0001\ue001", "word", " "]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=5), max_size=40))
def test_any_wikitext_gives_text(pieces: list[str]) -> None:
    found = plain_text("".join(pieces)).text
    assert found == found.strip()
    assert "\ue000" not in found


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=20))
def test_plain_words_come_back(words: list[str]) -> None:
    assert plain_text(" ".join(words)).text == " ".join(words)
