"""A corpus under a field map, through Spark: as a frame, or straight into a new table's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from etl.ingest.columns import Part, kept_batch, with_verdicts
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import Corpus
from etl.ingest.corpus_files import corpus_parts, mapped_parts, needed_columns, table_records
from etl.ingest.formats import Format, detect
from etl.ingest.layout import DATA
from etl.ingest.mapped import WRONG_MAP, mapped_schema
from etl.ingest.parquet_parts import (
    QUARANTINE_SCHEMA,
    REJECTED_SCHEMA,
    PartWriter,
    unkept_batches,
)
from etl.ingest.read import file_listing, spark_struct
from etl.storage.files import located
from etl.storage.location import spark_path
from etl.tables.commit import DataFile, create_table
from etl.tables.outcome import Decided, decided_schema
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

    # What workers make of the rows that they get: parts, and the kind of each input file.
    _Reader = Callable[[Iterator[pa.RecordBatch]], Iterator[Part | str]]

KEPT_TABLE, REJECTED_TABLE, QUARANTINE_TABLE = "", "_rejected", "_quarantined"
_SCHEMAS = {REJECTED_TABLE: REJECTED_SCHEMA, QUARANTINE_TABLE: QUARANTINE_SCHEMA}
_TOLD_SCHEMA = pa.schema(
    [("what", pa.string()), ("name", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())]
)


def corpus_frame(
    spark: SparkSession, source: str | DataFrame, corpus: Corpus, config: IngestConfig
) -> Decided:
    """The records of a path, or of a listing of files (`path`), with their verdicts."""
    schema = mapped_schema(corpus.map)
    rows, parts = _source(spark, source, corpus, config)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from with_verdicts((one for one in parts(batches) if isinstance(one, Part)), schema)

    return Decided(rows.mapInArrow(read, decided_schema(spark_struct(schema))))


@dataclass(slots=True)
class Written:
    """What `write_corpus` wrote: files and rows of each table, and the files of the input."""

    tables: dict[str, list[DataFile]] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    wrong_map: str = ""

    def rows(self, table: str) -> int:
        return sum(file.rows for file in self.tables.get(table, ()))


def write_corpus(
    spark: SparkSession, path: str, corpus: Corpus, config: IngestConfig, folder: str, form: str
) -> Written:
    """Reads a corpus into new tables below `folder` (local, or seen by all workers): the kept
    records there, `_rejected` and `_quarantined` where there are any.

    Each worker writes the files of what it read, so that no text passes through the JVM; a file of
    a task that failed is not in the table, and is removed. Raises `InputError` when the map fits no
    record at all.
    """
    rows, parts = _source(spark, path, corpus, config)
    schema = mapped_schema(corpus.map)
    written = write_parts(rows, parts, Path(folder), schema)
    _require_records(written)
    commit_parts(Path(folder), written, schema, form)
    return written


def write_parts(rows: DataFrame, parts: _Reader, folder: Path, schema: pa.Schema) -> Written:
    """What workers make of `rows`, as files below `folder`; `commit_parts` makes tables of them."""

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield _told(_written(parts(batches), folder, schema))

    written = Written()
    for row in rows.mapInArrow(write, spark_struct(_TOLD_SCHEMA)).collect():
        if row["what"] == WRONG_MAP:
            written.wrong_map = row["name"]
        elif row["what"].startswith("input:"):
            kind = row["what"].removeprefix("input:")
            written.inputs[kind] = written.inputs.get(kind, 0) + row["rows"]
        else:
            table = row["what"].removeprefix("table:")
            file = DataFile(row["name"], row["rows"], row["bytes"])
            written.tables.setdefault(table, []).append(file)
    return written


def _require_records(written: Written) -> None:
    if not written.rows(KEPT_TABLE) and written.wrong_map:
        raise InputError(written.wrong_map)
    if written.inputs and not written.inputs.get(DATA):
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(written.inputs.items()))
        raise InputError(
            f"no data files to read ({counts}); check config and split, or the card's data_files"
        )


def _source(
    spark: SparkSession, source: str | DataFrame, corpus: Corpus, config: IngestConfig
) -> tuple[DataFrame, _Reader]:
    """The rows that workers get, and their reader."""
    if isinstance(source, str):
        path = source.removeprefix("file://")
        root = located(path, config.s3)
        if detect(root).format == Format.DELTA:
            return _delta(spark, path, corpus, config)
        source = file_listing(spark, root)

    def parts(batches: Iterator[pa.RecordBatch]) -> Iterator[Part | str]:
        for path in (path for batch in batches for path in batch.column(0).to_pylist()):
            kind = corpus.kind(path)
            yield kind
            if kind == DATA:
                yield from corpus_parts(path, corpus, config)

    return source, parts


def _delta(
    spark: SparkSession, path: str, corpus: Corpus, config: IngestConfig
) -> tuple[DataFrame, _Reader]:
    table = spark.read.format("delta").load(spark_path(path))
    table = table.select(*(f"`{name}`" for name in needed_columns(table.columns, corpus)))

    def parts(batches: Iterator[pa.RecordBatch]) -> Iterator[Part | str]:
        records = (found for batch in batches for found in table_records(batch, -1, path, config))
        return mapped_parts(records, path, corpus, config)

    return table, parts


def _written(parts: Iterator[Part | str], folder: Path, schema: pa.Schema) -> Iterator[tuple]:
    """Writes parts; tells each file written (`table:`), input file, and map that is wrong."""
    with ExitStack() as stack:
        writers = {
            table: stack.enter_context(PartWriter(folder / table, _SCHEMAS.get(table, schema)))
            for table in (KEPT_TABLE, REJECTED_TABLE, QUARANTINE_TABLE)
        }
        for part in parts:
            if not isinstance(part, Part):
                yield f"input:{part}", "", 1, 0
                continue
            batches = kept_batch(part, schema), *unkept_batches(part)
            for writer, batch in zip(writers.values(), batches, strict=True):
                if batch is not None and batch.num_rows:
                    writer.write(batch)
            for row in part.rows:
                if row.get("_error_class") == WRONG_MAP:
                    yield WRONG_MAP, f"{row['source_file']}: {row['_message']}", 1, 0
    for table, writer in writers.items():
        for file in writer.files:
            yield f"table:{table}", file.path, file.rows, file.bytes


def _told(rows: Iterator[tuple]) -> pa.RecordBatch:
    told = [dict(zip(_TOLD_SCHEMA.names, row, strict=True)) for row in rows]
    return pa.RecordBatch.from_pylist(told, schema=_TOLD_SCHEMA)


def commit_parts(folder: Path, written: Written, schema: pa.Schema, form: str) -> None:
    """Removes what failed tasks left, and makes tables of the rest."""
    written.tables.setdefault(KEPT_TABLE, [])
    for table, files in written.tables.items():
        place = folder / table
        place.mkdir(parents=True, exist_ok=True)
        told = {file.path for file in files}
        for stray in place.glob("part-*.parquet"):
            if stray.name not in told:
                stray.unlink()
        columns = _SCHEMAS.get(table, schema)
        if form == "delta":
            create_table(place, spark_struct(columns), files)
        elif not files:
            from pyarrow.parquet import write_table

            write_table(columns.empty_table(), place / "part-empty.parquet")
