"""Parts written to Parquet by the worker that read them, while it reads on."""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from etl.ingest.columns import Part
from etl.tables.commit import DataFile

_GROUP_BYTES = 16 << 20  # of text in a row group: what a writer holds, twice
_FILE_BYTES = 1 << 30
# Columns in which a value hardly comes twice: a dictionary and minima of them only cost.
_UNLIKE = frozenset({"text", "id", "url", "title", "fetched_at", "source_offset", "source_length"})

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("message", pa.string()),
        pa.field("pointer", pa.string()),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("id", "error_class", "message", "pointer")]
)


class PartWriter:
    """Writes the batches of one input file below `folder`; `files` are complete when it is closed.

    One thread encodes and compresses what came before while the caller parses on.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder, self.schema = folder, schema
        self.files: list[DataFile] = []
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._held: list[pa.RecordBatch] = []
        self._size = self._rows = 0
        self._writer: object = None
        self._path = folder

    def __enter__(self) -> PartWriter:
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._size += batch.nbytes
        if self._size >= _GROUP_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._pending is not None:
            self._pending.result()
        held, self._held, self._size = self._held, [], 0
        self._pending = self._thread.submit(self._write_group, held)

    def _write_group(self, held: list[pa.RecordBatch]) -> None:
        from pyarrow.parquet import ParquetWriter

        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._path, self._rows = self.folder / f"part-{uuid.uuid4()}.snappy.parquet", 0
            alike = [name for name in self.schema.names if name not in _UNLIKE]
            self._writer = ParquetWriter(
                self._path, self.schema, compression="snappy", use_dictionary=alike,
                write_statistics=alike,
            )  # fmt: skip
        table = pa.Table.from_batches(held, self.schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))  # type: ignore[attr-defined]
        self._rows += table.num_rows
        if self._path.stat().st_size >= _FILE_BYTES:
            self._finish()

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()  # type: ignore[attr-defined]
            size = self._path.stat().st_size
            self.files.append(DataFile(self._path.name, self._rows, size))
            self._writer = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._held:
                    self._hand_over()
                if self._pending is not None:
                    self._pending.result()
        finally:
            self._thread.shutdown(wait=True)
            self._finish()


def unkept_batches(part: Part) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The rejected and the quarantined rows of a part, as their tables have them."""
    rejected, quarantined = [], []
    for row in part.rows:
        told = {"id": row["id"], "message": row["_message"], "pointer": row["_pointer"]}
        if row["_verdict"] == "rejected":
            rejected.append(told | row["_reasons"][0])
        else:
            quarantined.append(told | {"error_class": row["_error_class"]})
    return (
        pa.RecordBatch.from_pylist(rejected, schema=REJECTED_SCHEMA),
        pa.RecordBatch.from_pylist(quarantined, schema=QUARANTINE_SCHEMA),
    )
