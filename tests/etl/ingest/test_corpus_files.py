"""Files under a field map: every record ends somewhere, whatever the file holds."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from etl.ingest.card import Card
from etl.ingest.columns import Part
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import Corpus
from etl.ingest.corpus_files import corpus_parts
from etl.ingest.fieldmap import FieldMap, load_map
from etl.ingest.layout import Selection
from etl.ingest.records import read_file

_CARD = Card(licence="ODC-By-1.0", said="odc-by", citation="c")


def _parts(path: Path, fields: FieldMap | str, **config: Any) -> list[Part]:
    one = load_map(fields) if isinstance(fields, str) else fields
    corpus = Corpus(one, _CARD, Selection(), str(path.parent))
    return list(corpus_parts(str(path), corpus, IngestConfig(**config)))


def _counts(parts: list[Part]) -> tuple[int, Counter[str]]:
    kept = sum(len(p.kept) + (p.batch.num_rows if p.batch else 0) for p in parts)
    return kept, Counter(row.get("_error_class") or "rejected" for p in parts for row in p.rows)


def _lines(count: int, **fields: Any) -> bytes:
    return b"".join(
        json.dumps({"text": f"text {n}", "url": f"u{n}", **fields}).encode() + b"\n"
        for n in range(count)
    )


_MINE = FieldMap(name="mine", text="text", url="url", required=("url",),
                 carry={"n": {"field": "n", "type": "long"}})  # type: ignore[dict-item]  # fmt: skip


def test_good_and_bad_lines_with_their_places(tmp_path: Path) -> None:
    data = (
        _lines(3) + b"\n"
        b'not json\n{"text":"no url"}\n{"url":"no text"}\n{"text":"t","url":"u","n":"x"}\n'
        b'{"text":"big","url":"u","x":"' + b"y" * 5000 + b'"}\n' + _lines(2, n=7)
    )
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(data))
    parts = _parts(path, _MINE, max_record_bytes=2000)
    kept, bad = _counts(parts)
    assert kept == 5
    assert bad == {"not_json": 1, "missing_field": 1, "missing_text": 1, "wrong_type": 1,
                   "too_large": 1}  # fmt: skip
    for row in (row for part in parts for row in part.rows):
        place = data[row["source_offset"] : row["source_offset"] + row["source_length"]]
        assert row["_pointer"] == f"{path}@{row['source_offset']}+{row['source_length']}"
        if row["_error_class"] == "missing_field":
            assert place == b'{"text":"no url"}\n'
            assert row["_message"] == "no field `url` (url)"


@pytest.mark.parametrize("batch_bytes", [1, 700, 1 << 24])
def test_parts_are_bounded_and_nothing_is_lost(tmp_path: Path, batch_bytes: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(_lines(5000) + b"x\n" + _lines(50))
    parts = _parts(tmp_path / "a.jsonl", _MINE, batch_bytes=batch_bytes)
    assert _counts(parts) == (5050, {"not_json": 1})
    for part in parts:
        assert (part.batch.num_rows if part.batch else len(part.kept)) <= 2000
        assert part.batch is None or part.batch.nbytes < batch_bytes + 500_000


def test_a_truncated_file_gives_its_records(tmp_path: Path) -> None:
    packed = gzip.compress(_lines(50_000))
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    kept, bad = _counts(_parts(tmp_path / "a.jsonl.gz", _MINE))
    assert 1000 < kept < 50_000
    assert bad == {"truncated_gzip": 1}


def test_a_file_without_the_text_field_ends_early_and_says_what_fits(tmp_path: Path) -> None:
    line = b'{"raw_content":"a text","url":"u","language":"en"}\n'
    (tmp_path / "a.jsonl").write_bytes(b"broken\n" + line * 100_000)
    (*_, row) = (row for p in _parts(tmp_path / "a.jsonl", "fineweb") for row in p.rows)
    assert row["_error_class"] == "wrong_map"
    assert "records has the text field `text` of the map fineweb" in row["_message"]
    assert "they have: raw_content, url, language; maps that fit: redpajama-v2" in row["_message"]
    kept, bad = _counts(_parts(tmp_path / "a.jsonl", "fineweb"))
    assert (kept, bad) == (0, {"wrong_map": 1, "not_json": 1})


def test_records_without_text_before_the_first_with_are_told_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"x":1}\n' * 30 + _lines(3) + b'{"x":1}\n' * 2)
    assert _counts(_parts(tmp_path / "a.jsonl", "c4")) == (3, {"missing_text": 32})


def test_a_where_rejects(tmp_path: Path) -> None:
    fields = FieldMap(name="m", text="text", where={"subset": ("c4",)})
    (tmp_path / "a.jsonl").write_bytes(_lines(3, subset="c4") + _lines(2, subset="books"))
    parts = _parts(tmp_path / "a.jsonl", fields)
    assert _counts(parts) == (3, {"rejected": 2})
    assert parts[0].rows[0]["_reasons"] == [{"rule": "ingest.where", "score": 0.0,
                                             "threshold": 1.0}]  # fmt: skip


@pytest.mark.parametrize("mapped", [True, False])
def test_no_depth_stops_the_reader(tmp_path: Path, mapped: bool) -> None:
    depths = range(200, 1100, 3)
    lines = (b'{"text":"t","x":' + b"[" * n + b"]" * n + b"}\n" for n in depths)
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    if mapped:
        parts = _parts(tmp_path / "a.jsonl", FieldMap(name="m", text="text", others="fields"))
    else:
        parts = list(read_file(str(tmp_path / "a.jsonl"), IngestConfig()))
    kept, bad = _counts(parts)
    assert kept > 100
    assert kept + sum(bad.values()) == len(depths)
    assert bad.keys() <= {"not_json", "wrong_type"}


def test_parquet(tmp_path: Path) -> None:
    rows = {
        "text": ["a", None, "c" * 3000, "d"],
        "url": ["u", "u", "u", None],
        "n": [1, 2, 3, 4],
        "blob": [b"x"] * 4,
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    parts = _parts(tmp_path / "a.parquet", _MINE, max_record_bytes=2000)
    assert _counts(parts) == (1, {"missing_text": 1, "too_large": 1, "missing_field": 1})
    pointers = {row["_error_class"]: row["_pointer"] for part in parts for row in part.rows}
    assert pointers["missing_field"] == f"{tmp_path}/a.parquet#row=3"
    other = pa.table({"content": ["a"], "warc_headers": [{"a": 1}], "metadata": [None]})
    pq.write_table(other, tmp_path / "b.parquet")
    (row,) = (row for part in _parts(tmp_path / "b.parquet", "c4") for row in part.rows)
    assert "they have: content, warc_headers, metadata; maps that fit: oscar" in row["_message"]


def test_broken_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [str(n) * 50 for n in range(20_000)]}), tmp_path / "a.parquet")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    data[5000:60_000] = b"\xff" * 55_000
    (tmp_path / "noise.parquet").write_bytes(data)
    for name in ("cut", "noise"):
        _, bad = _counts(_parts(tmp_path / f"{name}.parquet", FieldMap(name="m", text="text")))
        assert bad == {"corrupt_parquet": 1}


def test_rows_that_python_cannot_hold(tmp_path: Path) -> None:
    data = pa.py_buffer(b"good\xff\xfegood")
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 4, 6, 10)))
    texts = pa.Array.from_buffers(pa.string(), 3, [None, offsets, data])
    when = pa.array([1, 1, 2**62], pa.timestamp("us"))
    pq.write_table(pa.table({"text": texts, "date": when}), tmp_path / "a.parquet")
    parts = _parts(tmp_path / "a.parquet", FieldMap(name="m", text="text", fetched_at="date"))
    assert _counts(parts) == (1, {"unreadable_row": 2})
    rows = [row["_pointer"].rpartition("#")[2] for part in parts for row in part.rows]
    assert rows == ["row=1", "row=2"]


def test_other_formats_are_not_read_silently(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"<html><p>x")
    (tmp_path / "b").write_bytes(b"\0\1")
    (tmp_path / "c").write_bytes(b"")
    found = [_counts(_parts(tmp_path / name, "c4"))[1] for name in ("a.html", "b", "c", "absent")]
    assert [list(one) for one in found] == [
        ["unmapped_format"], ["unknown_format"], ["empty_file"], ["unreadable_file"]
    ]  # fmt: skip
