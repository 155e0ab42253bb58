"""Books: the text without its frame, the spine in order, hostile archives refused."""

from __future__ import annotations

import gzip
import io
import json
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.books import rights_licence, unframed
from etl.ingest.config import IngestConfig
from etl.ingest.formats import Format, detect
from etl.ingest.options import FormatOptions
from etl.ingest.rows import Row
from tests.etl.ingest.reading import rows_of

_GUTENBERG = """The Project Gutenberg eBook of The Made-Up Book

This ebook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost.

Title: The Made-Up Book
Author: Ann Author
Language: English

*** START OF THE PROJECT GUTENBERG EBOOK THE MADE-UP BOOK ***

CHAPTER I

It was a day.

*** END OF THE PROJECT GUTENBERG EBOOK THE MADE-UP BOOK ***

Updated editions will replace the previous one.
"""
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{root}"/></rootfiles></container>'
)
_PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<metadata><dc:title>My Book</dc:title><dc:creator>Ann</dc:creator>"
    "<dc:language>en</dc:language><dc:rights>{rights}</dc:rights></metadata><manifest>"
    '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    '<item id="b" href="text/b%20b.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="i" href="i.png" media-type="image/png"/></manifest>'
    '<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/><itemref idref="i"/>'
    '<itemref idref="a"/></spine></package>'
)
_MEMBERS = {
    "META-INF/container.xml": _CONTAINER.format(root="OEBPS/p.opf"),
    "OEBPS/p.opf": _PACKAGE.format(rights="Licensed under CC BY 4.0"),
    "OEBPS/nav.xhtml": "<html><body>Contents</body></html>",
    "OEBPS/text/a.xhtml": "<html><head><title/></head><body><h1>One</h1><p>First &amp;.</p>"
    "</body></html>",
    "OEBPS/text/b b.xhtml": "<html><body><p>Second.</p></body></html>",
}


def _epub(path: Path, changed: dict[str, str | bytes] | None = None) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, data in {**_MEMBERS, **(changed or {})}.items():
            archive.writestr(name, data)
    return path


def _rows(path: Path, **options: int) -> list[Row]:
    formats = FormatOptions(**options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(max_record_bytes=1_000_000, formats=formats))


def _one(path: Path, **options: int) -> tuple[str, str]:
    (row,) = _rows(path, **options)
    rule = (row.get("_reasons") or [{}])[0].get("rule", "")
    return row["_verdict"], row.get("_error_class", rule)


@pytest.mark.parametrize("name", ["book.txt", "book", "book.txt.gz"])
def test_a_gutenberg_book(tmp_path: Path, name: str) -> None:
    data = _GUTENBERG.replace("\n", "\r\n").encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert detect(tmp_path / name).format == Format.TEXT
    (row,) = _rows(tmp_path / name)
    fields = json.loads(row["extra"])
    assert row["text"] == "CHAPTER I\n\nIt was a day."
    assert (fields["title"], fields["author"]) == ("The Made-Up Book", "Ann Author")
    assert fields["licence"] == "LicenseRef-public-domain"
    assert "anyone anywhere" in fields["licence_evidence"]


def test_a_copyrighted_gutenberg_book() -> None:
    text = "This is a COPYRIGHTED Project Gutenberg eBook. Details below.\n" + _GUTENBERG
    licence = unframed(text).licence
    assert licence is not None
    assert licence.spdx == "LicenseRef-Project-Gutenberg-copyrighted"


def test_other_texts_stay_whole(tmp_path: Path) -> None:
    talk = "A book about Project Gutenberg.\n\nEnd of the Project Gutenberg chapter.\n"
    (tmp_path / "a.txt").write_text(talk)
    (row,) = _rows(tmp_path / "a.txt")
    assert row["text"] == talk
    assert json.loads(row["extra"])["licence"] == "unknown"


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"text \x00\x01", ("quarantined", "binary")),
        (b"  \n ", ("rejected", "book.empty")),
        (b"long " * 300_000, ("quarantined", "too_large")),
        ("caf\xe9 au lait, gar\xe7on, na\xefve \xe0 No\xebl\n".encode("latin-1"), ("kept", "")),
        ("ünï".encode("utf-16"), ("kept", "")),
        (gzip.compress(b"word " * 3000)[:-20], ("quarantined", "truncated_gzip")),
    ],
)
def test_texts_of_other_kinds(tmp_path: Path, data: bytes, end: tuple[str, str]) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert _one(tmp_path / "a.txt") == end


def test_an_epub_in_the_order_of_its_spine(tmp_path: Path) -> None:
    path = _epub(tmp_path / "a.bin")
    assert detect(path).format == Format.EPUB
    (row,) = _rows(path)
    fields = json.loads(row["extra"])
    assert row["text"] == "One\n\nFirst &.\n\nSecond."
    assert (fields["title"], fields["author"], fields["language"]) == ("My Book", "Ann", "en")
    assert (fields["licence"], fields["licence_evidence"]) == (
        "CC-BY-4.0", "dublin_core: Licensed under CC BY 4.0"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rights", "spdx"),
    [
        ("Public domain in the USA.", "LicenseRef-public-domain"),
        ("Not in the public domain", "unknown"),
        ("Copyright 2020, all rights reserved", "LicenseRef-all-rights-reserved"),
        ("http://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("", "unknown"),
    ],
)
def test_rights(rights: str, spdx: str) -> None:
    assert rights_licence(rights).spdx == spdx


_LAUGHS = '<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
_DRM = '<encryption><CipherReference URI="OEBPS/text/a.xhtml"/></encryption>'
_FONT = '<encryption><CipherReference URI="OEBPS/font.otf"/></encryption>'


@pytest.mark.parametrize(
    ("changed", "end"),
    [
        ({"OEBPS/p.opf": _LAUGHS + _PACKAGE}, ("quarantined", "forbidden_xml")),
        ({"OEBPS/p.opf": "<package>"}, ("quarantined", "broken_epub")),
        ({"OEBPS/p.opf": "<package/>"}, ("rejected", "book.empty")),
        ({"META-INF/container.xml": "<container/>"}, ("quarantined", "broken_epub")),
        ({"META-INF/container.xml": _CONTAINER.format(root="../../etc/passwd")},
         ("quarantined", "broken_epub")),
        ({"OEBPS/text/a.xhtml": "<div>" * 9000}, ("quarantined", "too_complex")),
        ({"OEBPS/text/a.xhtml": b"\x00\x00"}, ("quarantined", "binary")),
        ({"OEBPS/text/a.xhtml": "<p>" + "a " * 2_000_000}, ("quarantined", "decompression_bomb")),
        ({"META-INF/encryption.xml": _DRM}, ("quarantined", "encrypted")),
        ({"META-INF/encryption.xml": _FONT}, ("kept", "")),
        ({f"x{n}": b"" for n in range(200)}, ("quarantined", "too_many_members")),
        ({"../../evil": b"x", "/abs": b"y"}, ("kept", "")),
    ],
)  # fmt: skip
def test_hostile_epubs(
    tmp_path: Path, changed: dict[str, str | bytes], end: tuple[str, str]
) -> None:
    path = _epub(tmp_path / "a.epub", changed)
    assert _one(path, archive_bytes=2_000_000, archive_members=100) == end


def test_damaged_epubs(tmp_path: Path) -> None:
    whole = _epub(tmp_path / "a.epub").read_bytes()
    for name, data in {"cut": whole[: len(whole) // 2], "tail": whole[:-30],
                       "noise": whole[:200] + b"\xff" * 200 + whole[400:]}.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
        verdict, error = _one(tmp_path / name)
        assert verdict == "quarantined"
        assert error in {"corrupt_zip", "broken_epub"}


def test_a_zip_that_is_no_epub(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    (tmp_path / "a.epub").write_bytes(buffer.getvalue())
    assert _one(tmp_path / "a.epub") == ("quarantined", "unknown_format")


@given(st.text(max_size=500), st.text(max_size=100))
def test_any_text_is_a_book(text: str, title: str) -> None:
    framed = f"Title: {title}\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n{text}"
    assert len(unframed(framed).text) <= len(text) + 1
    assert unframed(text).text in text
