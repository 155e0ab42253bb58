"""A fetched share made whole: its WARC files without gaps, and a table that accounts for every
record chosen: where it lay in the archive and where it lies here, or why it does not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.commoncrawl.fetch import ShareOrder, State
from etl.commoncrawl.plan import TOO_LARGE, Planned, plan_batches, warc_head, warc_name

_UTC = pa.timestamp("us", tz="UTC")  # Spark's INT96 comes without a zone, and reads no nanoseconds
_OUTCOME = pa.schema(
    [
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("rule", pa.string()),
        pa.field("error_class", pa.string()),
        pa.field("message", pa.string()),
        pa.field("warc_file", pa.string()),
        pa.field("warc_offset", pa.int64()),
        pa.field("warc_length", pa.int64()),
    ]
)


def finish_share(order: ShareOrder, state: State) -> dict[str, int]:
    """Puts the share's files into OUT/warc and OUT/_records; gives its counts. It can be repeated.

    WARC files appear there whole, in one rename each.
    """
    out = Path(order.out)
    for folder in ("warc", "_records"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for file, rows in groupby(order.rows(), key=lambda row: row.file):
        _finish_warc(order, state, file, rows)
    counts = {"kept": 0, "rejected": 0, "quarantined": 0}
    staging = order.work / f"{order.share:05d}.records"
    rows = iter(order.rows())
    placed = _Placed()
    writer: pq.ParquetWriter | None = None
    for batch in plan_batches(order.plan, order.share):
        outcomes = [_outcome(next(rows), state, placed, order) for _ in range(batch.num_rows)]
        for outcome in outcomes:
            counts[outcome["verdict"]] += 1
        columns = pa.Table.from_pylist(outcomes, _OUTCOME).columns
        # Spark's note of the plan's schema would hide the columns that are added.
        whole = pa.Table.from_batches([batch]).replace_schema_metadata(None)
        column = whole.schema.get_field_index("fetch_time")
        whole = whole.set_column(column, "fetch_time", whole["fetch_time"].cast(_UTC))
        for field, column in zip(_OUTCOME, columns, strict=True):
            whole = whole.append_column(field, column)
        writer = writer or pq.ParquetWriter(staging, whole.schema)
        writer.write_table(whole)
    if writer is not None:
        writer.close()
        staging.rename(out / "_records" / f"{order.share:05d}.parquet")
    return counts | {"bytes": state.bytes, "requests": state.requests}


def _finish_warc(order: ShareOrder, state: State, file: int, rows: Iterator[Planned]) -> None:
    target = Path(order.out) / "warc" / warc_name(order.share, file)
    part = order.part(file)
    fetched = [row for row in rows if row.verdict == "fetch"]
    if target.exists() or not any(state.is_kept(row.number) for row in fetched):
        part.unlink(missing_ok=True)
        return
    if not all(state.is_kept(row.number) for row in fetched):
        whole = part.with_suffix(".whole")
        with part.open("rb") as source, whole.open("wb") as sink:
            sink.write(warc_head(order.share, file))
            for row in fetched:
                if state.is_kept(row.number):
                    source.seek(row.at)
                    sink.write(source.read(row.length))
            sink.flush()
            os.fsync(sink.fileno())
        whole.rename(target)
        part.unlink()
    else:
        part.rename(target)


class _Placed:
    """Where the next kept record of a file lies."""

    def __init__(self) -> None:
        self._file, self._at = -1, 0

    def next(self, order: ShareOrder, row: Planned) -> int:
        if row.file != self._file:
            self._file, self._at = row.file, len(warc_head(order.share, row.file))
        self._at += row.length
        return self._at - row.length


def _outcome(row: Planned, state: State, placed: _Placed, order: ShareOrder) -> dict[str, Any]:
    if state.is_kept(row.number):
        place = {"warc_offset": placed.next(order, row), "warc_length": row.length}
        return {"verdict": "kept", "warc_file": warc_name(order.share, row.file), **place}
    if row.verdict == "rejected":
        message = f"{row.length} bytes, more than max_record_bytes={order.max_record_bytes}"
        return {"verdict": "rejected", "rule": TOO_LARGE, "message": message}
    error_class, message = state.failed.get(
        row.number, ("bad_place", "the index names no place that a record can have")
    )
    return {"verdict": "quarantined", "error_class": error_class, "message": message}


def done_path(order: ShareOrder) -> Path:
    return order.work / f"{order.share:05d}.done"


def mark_done(order: ShareOrder, counts: dict[str, int]) -> None:
    """The share is whole: it is not looked at again."""
    path = done_path(order)
    staging = path.with_suffix(".done.tmp")
    staging.write_text(json.dumps(counts))
    staging.rename(path)


def read_done(order: ShareOrder) -> dict[str, int] | None:
    path = done_path(order)
    return json.loads(path.read_text()) if path.exists() else None
