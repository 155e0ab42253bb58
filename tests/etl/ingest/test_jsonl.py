"""JSON Lines, good and bad, each line with its place."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etl.ingest.jsonl as jsonl
from etl.ingest.jsonl import Line, exact_record, json_text, parse_line, read_lines


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


_HARD = [
    b'{"text":"a\x00b"}',
    b'{"text":"a\\u0000b"}',
    b'{"text":"\xff\xfe"}',
    b'{"x":"\xed\xa0\x80","text":"raw surrogate"}',
    b'{"text":"\\ud800"}',
    b'{"text":"\\ud83d\\ude00"}',
    b'{"x":["\\udc00"],"text":"t"}',
    b'{"text":"a","text":"b"}',
    b'{"m":{"u":1,"u":2},"text":"t"}',
    b'{"n":18446744073709551616,"text":"t"}',
    b'{"n":9223372036854775808,"text":"t"}',
    b'{"n":-9223372036854775809,"text":"t"}',
    b'{"m":[[123456789012345678901234567890]],"text":"t"}',
    b'{"n":1e400,"text":"t"}',
    b'{"n":-0,"m":[-0.0,1e300,2.5e-7],"text":"t"}',
    b'{"n":NaN,"m":[Infinity,-Infinity],"text":"t"}',
    b'{"n":' + b"9" * 5000 + b',"text":"t"}',
    b'{"m":' + b"[" * 300 + b"]" * 300 + b',"text":"t"}',
    b'{"m":' + b"[" * 3000 + b"]" * 3000 + b',"text":"t"}',
    b'{"m":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b',"text":"t"}',
    b'\xef\xbb\xbf{"text":"after a mark"}',
    b'{"text":"carriage return"}\r',
    b"",
    b"   \t",
    b"\x0c",
    b'{"text":"a"} {"text":"b"}',
    b'{"text":"a"}null',
    b"null",
    b"[1]",
    b'"s"',
    b'{"text":1}',
    b'{"text":null}',
    b'{"text":"t",}',
    b"{text:1}",
    b'{"text":"t"',
    b'{"":"","text":""}',
    b'{"text":"' + b"x" * 400 + b'"}',
    b'{"id":true,"url":5,"text":"mixed","tags":[1,"a",null,{"b":[]}]}',
    '{"text":"ünïcödé 北京 \U0001f600"}'.encode(),
]


def _without_quick(path: Path, max_bytes: int, text: str | None) -> list[Line]:
    """What the careful parser alone says."""
    kept = jsonl.exact_record, jsonl.any_record
    try:
        jsonl.exact_record = jsonl.any_record = lambda _: None
        return list(read_lines(path, max_bytes, text))
    finally:
        jsonl.exact_record, jsonl.any_record = kept


@pytest.mark.parametrize("text", ["text", None])
def test_the_quick_parser_changes_nothing(tmp_path: Path, seed: int, text: str | None) -> None:
    draw = random.Random(seed)
    quick = 0
    for _ in range(60):
        lines = draw.choices(_HARD, k=40)
        data = b"\n".join(_mutated(draw, line) for line in lines) + draw.choice([b"", b"\n"])
        (tmp_path / "f").write_bytes(data)
        found = list(read_lines(tmp_path / "f", 20_000, text))
        assert repr(found) == repr(_without_quick(tmp_path / "f", 20_000, text))
        for line in found:
            raw = data[line.offset : line.offset + line.length]
            assert raw.count(b"\n") == raw.endswith(b"\n")
            quick += exact_record(raw) is not None
    assert quick > 100  # both parsers were at work


def _mutated(draw: random.Random, line: bytes) -> bytes:
    if not line or draw.random() < 0.5:
        return line
    place = draw.randrange(len(line))
    new = draw.choice([b"", bytes([draw.choice(list(b'"{}[],:\\0e.-x\xff'))]), b"\\u00e9"])
    return line[:place] + new + line[place + draw.randint(0, 1) :]


@given(st.dictionaries(st.text(), _JSON), st.text())
def test_both_parsers_give_the_same_record(fields: dict[str, object], text: str) -> None:
    raw = json.dumps(fields | {"text": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    exact = exact_record(raw)
    if exact is not None:
        assert repr(exact) == repr(parse_line(raw).record)


def test_lines_of_exactly_the_bound_and_one_more(tmp_path: Path) -> None:
    line = b'{"text":"' + b"x" * 88 + b'"}'
    assert [one.error_class for one in _lines(tmp_path / "f", line + b"\n" + line, 100)] == ["", ""]
    assert [one.error_class for one in _lines(tmp_path / "f", line + b"\n" + line, 99)] == [
        "too_large",
        "",
    ]


def test_anything_can_be_written_as_json() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    assert json.loads(json_text({"n": 2**70, "s": "\ud800"})) == {"n": 2**70, "s": "\ufffd"}
    assert json_text(deep) == "[" * 301 + "]" * 301
    assert json_text({"b": b"x"}) == '{"b":"b\'x\'"}'
