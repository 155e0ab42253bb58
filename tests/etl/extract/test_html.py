"""Main text of pages, good and hostile."""

from __future__ import annotations

import gzip
import json
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.extract.evaluate import article_score
from etl.extract.html import PageError, PageLimits, clean_text, extract_page

_PARAGRAPHS = [
    "The harbour was built in three years by the town itself, and paid for by a toll on salt.",
    "Nobody had expected the ice to hold the railway wagons, but for two winters it did.",
    "When the bridge opened, the ferry stopped, and the inn at its landing closed within a year.",
]
_PAGE = f"""<!doctype html><html><head><title>The harbour &amp; the ice</title></head><body>
<nav><a href=/>Home</a> <a href=/a>All articles of the paper</a></nav>
<header><img src=x alt=logo> The Daily Ice</header>
<article><h1>The harbour and the ice</h1>
{"".join(f"<p>{p}</p>" for p in _PARAGRAPHS)}
<figure><img src=y><figcaption>The harbour seen from the north, in winter</figcaption></figure>
<p>Photo: J. Doe / Agency</p></article>
<div class="related-articles"><p>Another story about another harbour, also long.</p></div>
<h3>Comments</h3><p>I liked it.</p>
<footer>© 2026 The Daily Ice. All rights reserved.</footer></body></html>"""


def test_main_text_title_and_nothing_of_the_furniture() -> None:
    page = extract_page(_PAGE.encode())
    assert page.title == "The harbour & the ice"
    assert page.text.split("\n\n") == _PARAGRAPHS
    assert page.licence == "LicenseRef-all-rights-reserved"
    assert page.charset == "utf-8"


def test_lists_and_section_headings_stay_lines_of_their_own() -> None:
    items = "<ul><li>Bring warm boots, a map and a lamp.</li><li>Leave before noon.</li></ul>"
    html = f"<h1>A</h1><p>{_PARAGRAPHS[0]}</p><h2>What to bring</h2>{items}<p>{_PARAGRAPHS[1]}</p>"
    lines = [line.strip() for line in extract_page(html.encode()).text.split("\n") if line.strip()]
    assert "What to bring" in lines
    assert any(line.endswith("Leave before noon.") and "boots" not in line for line in lines)


def test_a_wrapper_named_like_boilerplate_does_not_empty_the_page() -> None:
    body = "".join(f"<p>{p}</p>" for p in _PARAGRAPHS * 3)
    html = f"<body><div id=page class='has-social-sharing'><article>{body}</article></div></body>"
    assert _PARAGRAPHS[1] in extract_page(html.encode()).text


def test_text_is_nfc_and_without_controls() -> None:
    text = extract_page(
        "<p>Cafe\u0301 \x01\x08ouvert aujourd’hui\u0085 jusqu’à minuit.</p>".encode()
    ).text
    assert text == "Café ouvert aujourd’hui jusqu’à minuit."


def test_plain_text_keeps_its_lines() -> None:
    page = extract_page(b"first <line>\r\nsecond & line\n", "text/plain; charset=utf-8")
    assert page.text == "first <line>\nsecond & line"


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        (b"", "empty_body"),
        (b" \n\t ", "empty_body"),
        (b"\0" * 5000, "binary"),
        (b"%PDF-1.7 ...", "binary"),
        (b"\x1f\x8b\x08\x00" + b"x" * 99, "binary"),
        (b"<html>" + b"<p>x" * 300_000, "too_complex"),
        (b"<html>" + b"<div>" * 100_000, "too_complex"),
        (b"<html>" + b"<b><i>x" * 50_000, "too_complex"),
        (b"<div " + b" ".join(b"a%d=1" % i for i in range(60_000)) + b">x", "too_complex"),
        (b"<p>" + b"x" * 8_000_001, "too_large"),
    ],
)
def test_what_cannot_be_a_page_is_named(body: bytes, error_class: str) -> None:
    with pytest.raises(PageError) as caught:
        extract_page(body)
    assert caught.value.error_class == error_class


@pytest.mark.parametrize(
    "body",
    [
        b"<script>" * 150_000,
        b"<!--" * 150_000,
        b"<table><tr><td>" * 300,
        b"</div>" * 150_000,
        b"<" * 190_000,
        b"&#" * 1_000_000,
        b"<p>" * 100_000,
        b"<ul><li>x" * 900,
        b"<a href=" + b"x" * 5_000_000,
    ],
)
def test_hostile_markup_takes_seconds_at_most(body: bytes) -> None:
    started = time.process_time()
    try:
        extract_page(body)
    except PageError as error:
        assert error.error_class in {"too_complex", "broken_html"}  # noqa: PT017
    assert time.process_time() - started < 10


def test_broken_markup_still_gives_its_text() -> None:
    html = f"<html><body><div><p>{_PARAGRAPHS[0]}<p>{_PARAGRAPHS[1]}<div></span></td><b>"
    text = extract_page(html.encode()).text
    assert all(paragraph in text for paragraph in _PARAGRAPHS[:2])


def test_a_page_without_text_is_empty_not_an_error() -> None:
    assert extract_page(b"<html><body><script>var x = 1</script></body></html>").text == ""


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([None, "text/html; charset=gbk", "text/html"]))
def test_any_bytes_give_a_page_or_a_page_error(body: bytes, content_type: str | None) -> None:
    try:
        page = extract_page(b"<p>" + body, content_type, PageLimits(max_bytes=1000))
    except PageError as error:
        assert error.error_class  # noqa: PT017
        return
    page.text.encode("utf-8")
    assert unicodedata.is_normalized("NFC", page.text)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in page.text)


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


def test_article_f1_on_real_pages(sample_data: Path) -> None:
    web = sample_data / "web"
    truth = json.loads(gzip.decompress((web / "article_ground_truth.json.gz").read_bytes()))
    pairs = [
        (entry["text"], extract_page(gzip.decompress((web / "pages" / name).read_bytes())).text)
        for name, entry in truth.items()
    ]
    score = article_score(pairs)
    assert score.pages == len(truth) > 0
    assert score.f1 >= 0.94, score
