"""Files that appear whole or not at all, and Parquet whose bytes do not depend on batch sizes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 65_536


def write_atomically(path: Path, data: bytes) -> None:
    """Writes beside `path`, flushes to the disk, then renames: a reader never sees half a file."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with staged.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


class RowGroups:
    """A Parquet writer that cuts row groups of exactly `ROW_GROUP` rows, however rows arrive.

    With it two runs write the same bytes though their batches differ. Holds one row group.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._count = 0

    def append(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self._waiting.append(table)
        self._count += table.num_rows
        while self._count >= ROW_GROUP:
            self._flush(ROW_GROUP)

    def close(self) -> None:
        if self._count:
            self._flush(self._count)
        self._writer.close()

    def _flush(self, rows: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        group, rest = waiting.slice(0, rows), waiting.slice(rows)
        # One chunk a column: Parquet pages would otherwise follow the batches.
        self._writer.write_table(group.combine_chunks(), row_group_size=rows)
        self._waiting = [rest] if rest.num_rows else []
        self._count = rest.num_rows
