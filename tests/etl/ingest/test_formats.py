"""Formats told by content."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.formats import Detected, Format, detect
from schemas.errors import InputError

_JSON = b'{"text": "a"}\n'
_HTML = b"<!-- a -->\n<!DOCTYPE html><html><p>a"
_WARC = b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
_WET = _WARC.replace(b"response", b"conversion")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.bin", _JSON, Detected(Format.JSONL)),
        ("a.txt", b"\xef\xbb\xbf\n" + _JSON, Detected(Format.JSONL)),
        ("a", gzip.compress(_JSON), Detected(Format.JSONL, "gzip")),
        ("a.gz", zstandard.ZstdCompressor().compress(_JSON), Detected(Format.JSONL, "zstd")),
        ("a.jsonl", b"not json\n" + _JSON, Detected(Format.JSONL)),
        ("a.jsonl.gz", gzip.compress(b"not json"), Detected(Format.JSONL, "gzip")),
        ("a.jsonl", _HTML, Detected(Format.HTML)),
        ("a", b"  <p>text", Detected(Format.HTML)),
        ("a.html", b"\0" * 100, Detected(Format.HTML)),
        ("a.gz", _WARC, Detected(Format.WARC)),
        ("a.warc.gz", gzip.compress(_WARC), Detected(Format.WARC, "gzip")),
        ("a.warc.gz", gzip.compress(_WARC)[:-9], Detected(Format.WARC, "gzip")),
        ("a.warc", _WET, Detected(Format.WET)),
        ("a.jsonl", b"", Detected(Format.EMPTY)),
        ("a.dat", b"\x00\x01\x02", Detected(Format.UNKNOWN)),
    ],
)
def test_content_first_then_name(
    tmp_path: Path, name: str, data: bytes, expected: Detected
) -> None:
    (tmp_path / name).write_bytes(data)
    assert detect(tmp_path / name) == expected


def test_tables_and_folders(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "x")
    assert detect(tmp_path / "x").format == Format.PARQUET
    assert detect(tmp_path).format == Format.FOLDER
    (tmp_path / "_delta_log").mkdir()
    assert detect(tmp_path).format == Format.DELTA


def test_nothing_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        detect(tmp_path / "missing")


@given(st.binary(max_size=300))
def test_any_bytes_have_a_format(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("d") / "f"
    path.write_bytes(data)
    assert detect(path).format in Format
