"""XML read element by element: bounded, without entities, going on after what is broken."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.streams import open_chunks
from etl.ingest.xmlstream import Element, read_elements

_A = b"<page><title>A</title><revision><id>1</id></revision></page>"
_B = b'<page n="&lt;"><title>B</title></page>'


def _read(data: bytes, *, size: int = 1 << 18, limit: int = 10_000) -> list[Element]:
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    return list(read_elements(chunks, ("page",), limit, "revision"))


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_elements_have_their_places(size: int) -> None:
    data = b"<root>\n" + _A + b"\n <row x='1'/>" + _B + b"</root>\n"
    found = _read(data, size=size)
    assert [data[e.offset : e.offset + e.length] for e in found] == [_A, b"<row x='1'/>", _B]
    assert [e.text("title") for e in found] == ["A", "", "B"]
    assert (found[1].attributes, found[2].attributes) == ({"x": "1"}, {"n": "<"})


@pytest.mark.parametrize("size", [1, 13, 10_000])
@pytest.mark.parametrize(
    "broken",
    [b"<page><b></page>", b"<page>\xff</page>", b"<page>&undefined;</page>", b"<page>\x00</page>",
     b"<page><a>", b"<page a='1' a='2'></page>", b"<page ", b"<page <", b"<page/ >",
     b"<page>" + b"<d>" * 70 + b"</page>"],
)  # fmt: skip
def test_what_is_broken_costs_itself_only(broken: bytes, size: int) -> None:
    data = b"<root>" + _A + broken + _B + b"</root>"
    found = _read(data, size=size)
    assert [e.text("title") for e in found if not e.error_class] == ["A", "B"]
    bad = [e for e in found if e.error_class]
    assert [e.offset for e in bad] == [len(b"<root>" + _A)]


def test_a_record_that_is_too_large_is_left_out() -> None:
    big = b"<page><title>" + b"x" * 50_000 + b"</title></page>"
    found = _read(b"<root>" + _A + big + _B + b"</root>")
    assert [(e.error_class, e.text("title")) for e in found] == [
        ("", "A"), ("too_large", ""), ("", "B")
    ]  # fmt: skip
    assert found[1].length == len(big)


def test_markup_without_an_end_is_not_held() -> None:
    endless = b"<page " + b"a" * 4_000_000 + b">"
    found = _read(b"<root>" + _A + endless + _B + b"</root>", size=1 << 16)
    assert [e.error_class for e in found] == ["", "too_large", ""]


def test_only_the_last_revision_counts() -> None:
    revisions = b"".join(b"<revision><id>%d</id></revision>" % n for n in range(2000))
    (page,) = _read(b"<root><page><title>T</title>" + revisions + b"</page></root>")
    assert (page.text("title"), page.text("revision/id")) == ("T", "1999")
    assert len(page.values) == 3


@pytest.mark.parametrize(
    "prolog",
    [
        b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
        b'<!DOCTYPE r SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_are_refused(prolog: bytes) -> None:
    (only,) = _read(prolog + b"<root><page><title>&c;&x;</title></page></root>")
    assert only.error_class == "forbidden_xml"


def test_a_file_that_ends_early(tmp_path: Path) -> None:
    data = b"<root>" + _A + b"<page><title>cut"
    assert [e.error_class for e in _read(data)] == ["", "truncated_xml"]
    assert [e.error_class for e in _read(b"<root>" + _A)] == ["", "truncated_xml"]
    packed = gzip.compress(b"<root>" + _A * 90_000)
    (tmp_path / "f").write_bytes(packed[: len(packed) // 2])
    found = list(read_elements(open_chunks(tmp_path / "f"), ("page",), 1000))
    assert len(found) > 1000
    assert found[-1].error_class == "truncated_gzip"


@given(st.lists(st.sampled_from([_A, _B, b"<page>", b"</page>", b"<", b"\xff", b"]]>", b"</root>"])
                | st.binary(max_size=20), max_size=8), st.integers(1, 50))  # fmt: skip
def test_any_bytes_end_as_elements_or_errors(parts: list[bytes], size: int) -> None:
    for element in _read(b"<root>" + b"".join(parts), size=size):
        assert element.error_class or element.name
        assert element.offset >= 0
        assert element.length >= 0
