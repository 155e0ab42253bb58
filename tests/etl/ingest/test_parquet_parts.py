"""Parts written by the worker that read them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import etl.ingest.parquet_parts as parquet_parts
from etl.ingest.columns import Part
from etl.ingest.parquet_parts import PartWriter, unkept_batches

_SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])


def _batch(start: int, count: int) -> pa.RecordBatch:
    rows = [{"id": str(n), "text": f"text {n} " * 20} for n in range(start, start + count)]
    return pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)


def test_files_and_groups_are_bounded_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_parts, "_GROUP_BYTES", 50_000)
    monkeypatch.setattr(parquet_parts, "_FILE_BYTES", 20_000)
    with PartWriter(tmp_path / "t", _SCHEMA) as writer:
        for start in range(0, 5000, 100):
            writer.write(_batch(start, 100))
    assert len(writer.files) > 2
    assert {file.path for file in writer.files} == {p.name for p in (tmp_path / "t").iterdir()}
    tables = [pq.read_table(tmp_path / "t" / file.path) for file in writer.files]
    assert [table.num_rows for table in tables] == [file.rows for file in writer.files]
    assert pa.concat_tables(tables)["id"].to_pylist() == [str(n) for n in range(5000)]
    first = tmp_path / "t" / writer.files[0].path
    assert first.stat().st_size == writer.files[0].bytes
    assert pq.read_metadata(first).row_group(0).total_byte_size < 200_000


def test_nothing_written_is_no_file(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t", _SCHEMA) as writer:
        pass
    assert writer.files == []
    assert not (tmp_path / "t").exists()


def test_a_full_disk_is_told_and_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_parts, "_GROUP_BYTES", 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def write_all() -> None:
        with PartWriter(tmp_path, _SCHEMA) as writer:
            monkeypatch.setattr(writer, "_write_group", full)
            for start in range(5):
                writer.write(_batch(start, 1))

    with pytest.raises(OSError, match="No space left"):
        write_all()


def test_rejected_and_quarantined_are_told_apart() -> None:
    reason = {"rule": "ingest.where", "score": 0.0, "threshold": 1.0}
    told = {"id": "a", "_message": "m", "_pointer": "p"}
    part = Part(rows=[told | {"_verdict": "rejected", "_reasons": [reason]},
                      told | {"_verdict": "quarantined", "_error_class": "not_json"}])  # fmt: skip
    rejected, quarantined = unkept_batches(part)
    assert rejected.to_pylist() == [{"id": "a", "message": "m", "pointer": "p", **reason}]
    assert quarantined.to_pylist()[0]["error_class"] == "not_json"
