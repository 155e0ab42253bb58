"""WARC files, whole and broken: every record or its place, never a stop."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.ingest.warc import Span, capture, read_at, read_spans

_LIMIT = 100_000


def _record(body: bytes, *, kind: str = "response", stated: int | None = None, n: int = 0) -> bytes:
    block = body
    if kind == "response":
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    length = len(block) if stated is None else stated
    head = (
        f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{n}>\r\n"
        f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: http://example.org/{n}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def _bodies(spans: list[Span]) -> list[bytes | str]:
    found: list[bytes | str] = []
    for span in spans:
        captured = None if span.error_class else capture(span.data, _LIMIT)
        found.append(span.error_class if captured is None else captured.body)
    return found


def _read(path: Path, data: bytes) -> list[bytes | str]:
    path.write_bytes(data)
    return _bodies(list(read_spans(path, _LIMIT)))


_A, _B, _C = (_record(b"<p>%c" % letter, n=letter) for letter in b"abc")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("middle", "found"),
    [
        (_B, [b"<p>b"]),
        (b"", []),
        (b"garbage\r\n\r\nmore garbage\r\n", ["garbage"]),
        (_record(b"<p>b", stated=10), ["wrong_length"]),
        (_record(b"<p>b", stated=90), ["wrong_length"]),
        (_record(b"<p>b").replace(b"Content-Length", b"Content-Girth"), ["wrong_length"]),
        (_record(b"x" * 300_000), ["too_large"]),
    ],
)
def test_what_is_broken_costs_itself_only(
    tmp_path: Path, packed: bool, middle: bytes, found: list[bytes | str]
) -> None:
    parts = [_A, middle, _C]
    data = b"".join(gzip.compress(part) if part else b"" for part in parts)
    if not packed:
        data = b"".join(parts)
    assert _read(tmp_path / "f", data) == [b"<p>a", *found, b"<p>c"]


def test_one_member_for_all_records(tmp_path: Path) -> None:
    assert _read(tmp_path / "f", gzip.compress(_A + _B + _C)) == [b"<p>a", b"<p>b", b"<p>c"]


def test_a_truncated_member_at_the_end(tmp_path: Path) -> None:
    last = gzip.compress(_record(b"<p>c" * 1000))
    data = gzip.compress(_A) + gzip.compress(_B) + last[: len(last) // 2]
    assert _read(tmp_path / "f", data) == [b"<p>a", b"<p>b", "truncated_gzip"]


def test_a_corrupt_member_in_the_middle(tmp_path: Path) -> None:
    middle = bytearray(gzip.compress(_record(bytes(range(256)) * 40)))
    middle[len(middle) // 2] ^= 0xFF
    data = gzip.compress(_A) + bytes(middle) + gzip.compress(_C)
    assert _read(tmp_path / "f", data) == [b"<p>a", "corrupt_gzip", b"<p>c"]


def test_garbage_between_members(tmp_path: Path) -> None:
    data = gzip.compress(_A) + b"no gzip here" * 9 + gzip.compress(_C)
    assert _read(tmp_path / "f", data) == [b"<p>a", "garbage", b"<p>c"]


def test_places_lead_back_to_the_record(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"".join(map(gzip.compress, (_A, _B, _C))))
    spans = list(read_spans(path, _LIMIT))
    with path.open("rb") as file:
        again = [read_at(file, span.offset, span.length, _LIMIT) for span in spans]
        beyond = read_at(file, path.stat().st_size, 10, _LIMIT)
        short = read_at(file, spans[1].offset, spans[1].length - 20, _LIMIT)
    assert again == spans
    assert beyond.error_class == "garbage"
    assert short.error_class == "truncated_gzip"


def test_content_encoding_is_undone_and_bounded() -> None:
    packed = gzip.compress(b"<p>" + b"a" * 5_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n"
    record = _record(head + packed, kind="resource").replace(b"resource", b"response")
    captured = capture(record, _LIMIT)
    assert captured is not None
    assert (captured.status, captured.content_type) == (200, "text/html")
    assert len(captured.body) == _LIMIT + 1


def test_other_records_hold_no_page() -> None:
    assert capture(_record(b"software: x", kind="warcinfo"), _LIMIT) is None
    conversion = capture(_record(b"plain text", kind="conversion"), _LIMIT)
    assert conversion is not None
    assert (conversion.kind, conversion.body) == ("conversion", b"plain text")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([_A, gzip.compress(_B), b"\x1f\x8b\x08", b"WARC/1.0\r\n"])
                | st.binary(max_size=40), max_size=6), st.integers(0, 500))  # fmt: skip
def test_any_bytes_are_records_or_have_a_class(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("w") / "f"
    path.write_bytes(b"".join(parts)[: cut or None])
    for span in read_spans(path, _LIMIT):
        assert bool(span.error_class) != bool(span.data)


def test_the_peer_reads_the_same_records(tmp_path: Path, sample_data: Path) -> None:
    from fastwarc.warc import ArchiveIterator

    path = sample_data / "warc" / "whirlwind.warc.gz"
    peer = [record.stream_pos for record in ArchiveIterator(str(path), parse_http=False)]
    spans = list(read_spans(path, 10_000_000))
    assert [span.offset for span in spans] == peer
    assert sum(span.length for span in spans) == path.stat().st_size
