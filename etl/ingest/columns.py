"""Rows of a worker as record batches: tuples of what was kept, and rows of what was not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

import pyarrow as pa

from etl.tables.outcome import KEPT, VERDICT_FIELDS

Row = dict[str, Any]
BATCH_ROWS = 2000


@dataclass(slots=True)
class Part:
    """What a bounded stretch of a file gave: `kept`, tuples in the order of a schema, or `batch`,
    the same as columns already, and `rows` with their verdicts."""

    kept: list[tuple] = default(default_factory=list)
    rows: list[Row] = default(default_factory=list)
    batch: pa.RecordBatch | None = None
    size: int = 0

    def full(self, batch_bytes: int) -> bool:
        return self.size >= batch_bytes or len(self.kept) + len(self.rows) >= BATCH_ROWS


def kept_batch(part: Part, schema: pa.Schema) -> pa.RecordBatch | None:
    """What the part keeps, as columns; None for nothing."""
    if part.batch is not None or not part.kept:
        return part.batch
    columns = [
        _column(values, one.type)
        for values, one in zip(zip(*part.kept, strict=True), schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: tuple, kind: pa.DataType) -> pa.Array:
    """A value that is one object throughout is converted once."""
    first = values[0]
    if pa.types.is_nested(kind) and all(value is first for value in values):
        return pa.repeat(pa.scalar(first, kind), len(values))
    return pa.array(values, kind)


def with_verdicts(parts: Iterable[Part], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Parts as batches of `schema` and the verdict columns, as Spark takes them."""
    decided = pa.schema([*schema, *VERDICT_FIELDS])
    for part in parts:
        if (batch := kept_batch(part, schema)) is not None:
            rows = batch.num_rows
            verdicts = [
                pa.repeat(KEPT, rows),
                *(pa.nulls(rows, f.type) for f in VERDICT_FIELDS[1:]),
            ]
            yield pa.RecordBatch.from_arrays([*batch.columns, *verdicts], schema=decided)
        if part.rows:
            yield pa.RecordBatch.from_pylist(part.rows, schema=decided)
