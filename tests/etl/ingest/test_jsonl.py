"""JSON Lines, good and bad, each line with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.jsonl import Line, parse_line, read_lines


def _lines(path: Path, data: bytes, max_bytes: int = 1000) -> list[Line]:
    path.write_bytes(data)
    return list(read_lines(path, max_bytes))


@pytest.mark.parametrize(
    ("raw", "error_class"),
    [
        (b"not json", "not_json"),
        (b'{"text": "a"', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"text": ' + b"9" * 9000 + b"}", "not_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"id": 1}', "missing_text"),
        (b'{"text": null}', "missing_text"),
        (b'{"text": "\xff"}', "invalid_utf8"),
    ],
)
def test_bad_lines_have_a_class(raw: bytes, error_class: str) -> None:
    line = parse_line(raw, 7, 42)
    assert (line.error_class, line.offset, line.record) == (error_class, 42, {})
    assert line.message.startswith("line 7: ")


def test_places_point_at_the_bytes(tmp_path: Path) -> None:
    data = b'{"text":"a"}\n\nbroken\n{"text":"b"}'
    lines = _lines(tmp_path / "f", data)
    assert [line.error_class for line in lines] == ["", "not_json", ""]
    bad = lines[1]
    assert data[bad.offset : bad.offset + bad.length] == b"broken\n"
    assert lines[2].record == {"text": "b"}


def test_a_long_line_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = b'{"text":"' + b"x" * 900_000 + b'"}\n{"text":"b"}\n'
    long, short = _lines(tmp_path / "f", data)
    assert (long.error_class, long.length) == ("too_large", 900_012)
    assert short.record == {"text": "b"}


def test_a_truncated_gzip_gives_its_lines_and_one_place_for_the_rest(tmp_path: Path) -> None:
    whole = b"".join(b'{"text":"%d"}\n' % n for n in range(50_000))
    packed = gzip.compress(whole)
    *good, last = _lines(tmp_path / "f", packed[: len(packed) // 2])
    assert [line.record["text"] for line in good] == [str(n) for n in range(len(good))]
    assert 1000 < len(good) < 50_000
    assert last.error_class == "truncated_gzip"
    assert last.offset == sum(line.length for line in good)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), _JSON), st.text())
def test_any_record_comes_back(fields: dict[str, object], text: str) -> None:
    record = fields | {"text": text}
    line = parse_line(json.dumps(record).encode())
    assert line.error_class == ""
    assert line.record["text"] == text
    assert line.record.keys() == record.keys()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_have_a_class(raw: bytes) -> None:
    line = parse_line(raw)
    assert bool(line.error_class) != ("text" in line.record)
