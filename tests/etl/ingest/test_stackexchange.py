"""StackExchange dumps: questions with their answers, authors and licences; nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.options import FormatOptions
from etl.ingest.rows import Row
from etl.ingest.stackexchange import site_of
from tests.etl.ingest.reading import rows_of

_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def post(number: int, kind: int, **attributes: object) -> str:
    values = {
        "Id": number, "PostTypeId": kind, "CreationDate": "2020-01-01T00:00:00.000", "Score": 1,
        "OwnerUserId": 7, "Body": f"<p>Body {number}</p>", **attributes,
    }  # fmt: skip
    return "  <row " + " ".join(f"{k}={quoteattr(str(v))}" for k, v in values.items()) + " />\n"


POSTS = [
    post(1, 1, Title="How to <sort>?", Tags="<python><list>", AcceptedAnswerId=3, Score=5,
         Body="<p>I have a <code>list</code>.</p><pre><code>a = [2, 1]\nb</code></pre>"),
    post(2, 2, ParentId=1, Score=9, Body="<p>Best</p>", OwnerUserId=8),
    post(3, 2, ParentId=1, Score=2, Body="<p>Accepted</p>", CreationDate="2012-01-01T00:00:00"),
    post(4, 2, ParentId=1, Score=-3, Body="<p>Bad</p>"),
    post(5, 5, Body="<p>Tag wiki</p>"),
    post(6, 2, ParentId=99, Body="<p>Orphan</p>"),
    post(7, 1, Title="Alone", CreationDate="2010-01-01T00:00:00", Tags="|a|b|"),
]  # fmt: skip
USERS = (
    _HEAD + '<users>\n  <row Id="7" DisplayName="Ann &amp; Co" />\n'
    '  <row Id="8" DisplayName="Bob" />\n</users>\n'
)


def posts_xml(posts: list[str]) -> bytes:
    return (_HEAD + "<posts>\n" + "".join(posts) + "</posts>\n").encode()


def _rows(path: Path, **options: int) -> list[Row]:
    formats = FormatOptions(**options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(max_record_bytes=100_000, formats=formats))


def _ends(rows: list[Row]) -> Counter[str]:
    return Counter(
        row["_reasons"][0]["rule"] if row["_verdict"] == "rejected"
        else row.get("_error_class", "kept") for row in rows
    )  # fmt: skip


def _site(folder: Path, posts: list[str], users: str = USERS) -> Path:
    site = folder / "cooking.stackexchange.com"
    site.mkdir(exist_ok=True)
    (site / "Posts.xml").write_bytes(posts_xml(posts))
    (site / "Users.xml").write_text(users)
    return site / "Posts.xml"


def test_a_question_with_its_answers_is_a_document(tmp_path: Path) -> None:
    rows = _rows(_site(tmp_path, POSTS))
    assert _ends(rows) == {
        "kept": 2, "stackexchange.answer_score": 1, "stackexchange.post_type": 1,
        "stackexchange.orphan_answer": 1,
    }  # fmt: skip
    row = next(row for row in rows if row.get("text", "").startswith("How"))
    assert row["text"] == ("How to <sort>?\n\nI have a list.\n\na = [2, 1]\nb\n\nAccepted\n\nBest")
    assert row["url"] == "https://cooking.stackexchange.com/q/1"
    fields = json.loads(row["extra"])
    assert (fields["tags"], fields["score"]) == (["python", "list"], 5)
    assert (fields["author"], fields["author_url"]) == (
        "Ann & Co", "https://cooking.stackexchange.com/users/7"
    )  # fmt: skip
    assert [(a["id"], a["accepted"], a["author"]) for a in fields["answers"]] == [
        ("3", True, "Ann & Co"), ("2", False, "Bob")
    ]  # fmt: skip
    spans = [row["text"][a["start"] : a["end"]] for a in fields["answers"]]
    assert spans == ["Accepted", "Best"]


def test_every_post_is_in_one_place(tmp_path: Path) -> None:
    rows = _rows(_site(tmp_path, POSTS))
    kept = [json.loads(row["extra"]) for row in rows if row["_verdict"] == "kept"]
    posts = sum(1 + len(fields.get("answers", [])) for fields in kept)
    assert posts + len(rows) - len(kept) == len(POSTS)


def test_licences_by_date_or_as_stated(tmp_path: Path) -> None:
    stated = post(8, 1, Title="S", ContentLicense="CC BY-SA 2.5")
    undated = post(9, 1, Title="U", CreationDate="never")
    rows = _rows(_site(tmp_path, [*POSTS, stated, undated]))
    licences = {json.loads(r["extra"])["title"]: json.loads(r["extra"])["licence"]
                for r in rows if r["_verdict"] == "kept"}  # fmt: skip
    assert licences == {
        "How to <sort>?": "CC-BY-SA-3.0 AND CC-BY-SA-4.0",
        "Alone": "CC-BY-SA-2.5",
        "S": "CC-BY-SA-2.5",
        "U": "unknown",
    }


@pytest.mark.parametrize(
    ("bad", "error_class"),
    [
        (post(1, 1).replace('Id="1"', "", 1), "bad_post"),
        (post(1, 2), "bad_post"),
        (post(1, 2, ParentId="1; DROP TABLE users"), "bad_post"),
        (post(1, 1, Body="<div>" * 9_000), "too_complex"),
        (post(1, 1, Body="x" * 150_000), "too_large"),
        ('<row Id="1" PostTypeId="1" Body="&lol;" />\n', "broken_xml"),
        ('<row Id="1" Id="2" />\n', "broken_xml"),
    ],
)
def test_a_bad_post_costs_itself_only(tmp_path: Path, bad: str, error_class: str) -> None:
    assert _ends(_rows(_site(tmp_path, [bad, POSTS[6]]))) == {"kept": 1, error_class: 1}


def test_a_question_with_too_many_answers(tmp_path: Path) -> None:
    flood = [post(n, 2, ParentId=7, Body="y" * 900) for n in range(10, 210)]
    assert _ends(_rows(_site(tmp_path, [*flood, *POSTS])))["too_large"] == 1


def test_small_parts_give_the_same_rows(tmp_path: Path) -> None:
    many = [post(n, 1, Title=f"T{n}") for n in range(100, 400)]
    many += [post(n, 2, ParentId=n - 400) for n in range(500, 800)]
    path = _site(tmp_path, many)
    whole, parts = _rows(path), _rows(path, spill_bytes=200)
    assert len(whole) == 300
    assert sorted(r["id"] for r in whole) == sorted(r["id"] for r in parts)
    assert parts == _rows(path, spill_bytes=200)


def test_other_files_say_that_they_hold_no_posts(tmp_path: Path) -> None:
    path = _site(tmp_path, POSTS)
    assert _ends(_rows(path.with_name("Users.xml"))) == {"stackexchange.no_posts": 1}


def test_damage_among_the_users_is_said(tmp_path: Path) -> None:
    rows = _rows(_site(tmp_path, [POSTS[6]], USERS.replace("</users>", "<row Id='9' Id='9'/>")))
    assert _ends(rows)["broken_xml"] == 1
    assert _ends(rows)["kept"] == 1


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("stackoverflow.com-Posts.7z", "stackoverflow.com"),
        ("physics.stackexchange.com.7z", "physics.stackexchange.com"),
        ("dump.7z", ""),
        ("../x y.com.7z", ""),
    ],
)
def test_sites_are_told_by_the_name(name: str, site: str) -> None:
    assert site_of(Path(name)) == site
