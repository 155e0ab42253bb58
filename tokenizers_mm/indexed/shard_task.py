"""The second half of tokenising, in Spark tasks: sorted rows of tokens into shards.

Rows arrive sorted by (shard, doc_id). A shard is staged under a name of its own; the driver
publishes what the tasks report, so that a task that is retried or killed leaves nothing behind.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizers_mm.indexed.files import RowGroups
from tokenizers_mm.indexed.format import DROPPED, DROPPED_SCHEMA, beside
from tokenizers_mm.indexed.writer import ShardWriter

# One row for each shard.
PART_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("part", pa.string(), nullable=False),  # name in the staging folder
        pa.field("entry", pa.string(), nullable=False),  # ShardEntry as JSON
        pa.field("bytes_in", pa.int64(), nullable=False),
        pa.field("rejected", pa.string(), nullable=False),  # rule -> rows, as JSON
        pa.field("quarantined", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """Writes the shards of a partition into the folder `staging`, tokens in `dtype`."""

    staging: str
    dtype: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Arrow batches of `ENCODED_SCHEMA` -> rows of `PART_SCHEMA`."""
        part: _Part | None = None
        for batch in batches:
            for rows in _by_shard(batch):
                shard = rows["shard"][0].as_py()
                if part is None or part.shard != shard:
                    if part is not None:
                        yield part.finish()
                    part = _Part(Path(self.staging), self.dtype, shard)
                part.append(rows)
        if part is not None:
            yield part.finish()


def _by_shard(batch: pa.RecordBatch) -> Iterator[pa.Table]:
    """Slices of equal shard; rows are sorted by it."""
    table = pa.Table.from_batches([batch])
    shards = batch.column("shard").to_numpy(zero_copy_only=False)
    cuts = [0, *(np.flatnonzero(np.diff(shards)) + 1).tolist(), len(shards)]
    for start, stop in pairwise(cuts):
        if stop > start:
            yield table.slice(start, stop - start)


class _Part:
    """A shard while it is written."""

    def __init__(self, staging: Path, dtype: str, shard: int) -> None:
        self.shard = shard
        self.name = f"{shard:05d}-{uuid.uuid4().hex}"
        self.prefix = staging / self.name
        self.writer = ShardWriter(self.prefix, dtype)
        self.dropped: RowGroups | None = None
        self.bytes_in = 0
        self.rejected: dict[str, int] = {}
        self.quarantined = 0

    def append(self, rows: pa.Table) -> None:
        self.bytes_in += pc.sum(rows["bytes_in"]).as_py()
        kept = pc.is_valid(rows["tokens"])
        if not pc.all(kept).as_py():
            self._drop(rows.filter(pc.invert(kept)))
            rows = rows.filter(kept)
        if rows.num_rows:
            tokens, lengths = _unpacked(rows["tokens"].combine_chunks(), self.writer.dtype)
            modality = pa.repeat(pa.scalar("text"), rows.num_rows)
            self.writer.append(tokens, lengths, rows.append_column("modality", modality))

    def _drop(self, rows: pa.Table) -> None:
        if self.dropped is None:
            self.dropped = RowGroups(beside(self.prefix, DROPPED), DROPPED_SCHEMA)
        named = rows.rename_columns({"doc_id": "id"}).select(DROPPED_SCHEMA.names)
        self.dropped.append(named.cast(DROPPED_SCHEMA))
        for count in pc.value_counts(rows["rule"].combine_chunks()).to_pylist():
            if count["values"] is None:
                self.quarantined += count["counts"]
            else:
                before = self.rejected.get(count["values"], 0)
                self.rejected[count["values"]] = before + count["counts"]

    def finish(self) -> pa.RecordBatch:
        with self.writer as writer:
            entry = writer.finish()
        if self.dropped is not None:
            self.dropped.close()
        row = {
            "shard": self.shard,
            "part": self.name,
            "entry": entry.model_dump_json(),
            "bytes_in": self.bytes_in,
            "rejected": json.dumps(self.rejected),
            "quarantined": self.quarantined,
        }
        return pa.RecordBatch.from_pylist([row], schema=PART_SCHEMA)


def _unpacked(packed: pa.Array, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, lengths) of a binary array without nulls, on its own buffers."""
    width = np.int32 if pa.types.is_binary(packed.type) else np.int64
    _, offsets, data = packed.buffers()
    bounds = np.frombuffer(offsets, dtype=width)[packed.offset : packed.offset + len(packed) + 1]
    tokens = np.frombuffer(data, dtype=dtype, count=len(data) // dtype.itemsize)
    tokens = tokens[bounds[0] // dtype.itemsize : bounds[-1] // dtype.itemsize]
    return tokens, (np.diff(bounds) // dtype.itemsize).astype(np.int32)
