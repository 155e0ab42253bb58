"""Input of any format as one Spark DataFrame of records, with what could not be read beside it.

Each file is read by one task, in the worker, with bounded memory. Parquet and Delta are read by
Spark itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from etl.ingest.config import IngestConfig
from etl.ingest.document_fields import document_fields
from etl.ingest.formats import Format, detect, is_repository
from etl.ingest.records import RECORD_FIELDS, Row, quarantined, read_file
from etl.storage.files import S3File, located
from etl.storage.location import is_s3, spark_path
from etl.storage.objects import list_objects
from etl.tables.outcome import KEPT, QUARANTINED, VERDICT_FIELDS, Decided, decided_schema
from schemas.errors import InputError
from schemas.spec import spark_type

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = ["IngestConfig", "arrow_batches", "read_files", "read_records"]

_ARROW = pa.schema([*RECORD_FIELDS, *VERDICT_FIELDS])
_BATCH_ROWS = 1000
_PAGE_COLUMNS = ("html", "content_type")
_GLOB = "\\*?[]{}"


def read_records(spark: SparkSession, path: str, config: IngestConfig | None = None) -> Decided:
    """The records of a file or a folder, in any of the formats of `formats.KNOWN`.

    Columns: `id` (derived when absent), `text` (of text records), `url`, `source`, `source_file`,
    `source_offset`, `source_length` (in the compressed file for WARC, in the decompressed one for
    JSONL), the other fields of the input, and `html` (bytes) and `content_type` if there are pages.
    Damaged files give the records before the damage and one quarantined row for the rest; an empty
    file is a quarantined row of class `empty_file`, so that the counts show it. Raises `InputError`
    when there is nothing at `path`.
    """
    config = config or IngestConfig()
    path = path.removeprefix("file://")
    if "://" in path and not is_s3(path):
        raise InputError(f"{path}: not a scheme that can be read; give a local path or s3://")
    root = located(path, config.s3)
    if detect(root).format == Format.DELTA:
        return _table(spark.read.format("delta").load(spark_path(path)), path, config)
    return _read_listing(spark, _listing(spark, root), config)


def read_files(
    spark: SparkSession, files: list[str], config: IngestConfig | None = None
) -> Decided:
    """`read_records` of some files, named one by one (none of them a Delta table)."""
    listing = spark.createDataFrame([(file,) for file in files], "path string")
    return _read_listing(spark, listing, config or IngestConfig())


def _listing(spark: SparkSession, path: Path | S3File) -> DataFrame:
    """One row a file. A task walks the folder, so that the driver holds none of it; hidden files
    and folders (`_x`, `.x`) are left out, as Spark does."""
    root = path.absolute()
    one = spark.createDataFrame([(str(root),)], "path string")
    if root.is_file():
        return one

    def walk(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for _ in range(batch.num_rows):
                yield from _walked(root)

    one = one.coalesce(1)
    tasks = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    return one.mapInArrow(walk, "path string").repartition(tasks, "path")


def _walked(root: Path | S3File) -> Iterator[pa.RecordBatch]:
    names = _objects_below(root) if isinstance(root, S3File) else _files_below(root)
    while held := list(islice(names, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pydict({"path": pa.array(held, pa.string())})


def _files_below(root: Path) -> Iterator[str]:
    """The files, and of each git repository its folder alone: it is read as a whole."""
    for folder, folders, files in os.walk(root):
        if is_repository(Path(folder)):
            folders.clear()
            yield folder
            continue
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        yield from (str(Path(folder, name)) for name in sorted(files) if name[0] not in "._")


def _objects_below(root: S3File) -> Iterator[str]:
    for found in list_objects(root.place, root.config):
        if not any(part[:1] in (".", "_") for part in found.name.split("/")):
            yield str(found.place)


def _read_listing(spark: SparkSession, listing: DataFrame, config: IngestConfig) -> Decided:
    found = _formats(listing, config)
    if not found:
        raise InputError("the folder holds no files; put input into it or name another one")
    frame = _records(listing, config)
    known = spark_struct(document_fields(found))
    if Format.JSONL in found:
        frame = _with_extra(spark, frame, known)
    elif known.fields:
        frame = _with_fields(frame, known)
    frame = frame.drop("extra")
    if not found.keys() & {Format.HTML, Format.WARC}:
        frame = frame.drop(*_PAGE_COLUMNS)
    tables = found.get(Format.PARQUET)
    if tables:
        rows = spark.read.option("mergeSchema", "true").parquet(
            *(_escaped(spark_path(name)) for name in tables)
        )
        table = _table(rows, tables[0].rpartition("/")[0], config).frame
        frame = frame.unionByName(_renamed(table, frame), allowMissingColumns=True)
    verdicts = [field.name for field in VERDICT_FIELDS]
    return Decided(frame.select(*[c for c in frame.columns if c not in verdicts], *verdicts))


def _escaped(path: str) -> str:
    return "".join(f"\\{char}" if char in _GLOB else char for char in path)


def _formats(listing: DataFrame, config: IngestConfig) -> dict[str, list[str]]:
    """The formats among the files; with Parquet, its whole files (for Spark to read)."""
    from pyspark.sql import functions as F

    def tell(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _tell(batches, config)

    schema = "format string, parquet string"
    told = listing.mapInArrow(tell, schema)
    grouped = told.groupBy("format").agg(F.sort_array(F.collect_list("parquet")).alias("files"))
    return {row["format"]: row["files"] for row in grouped.collect()}


def _tell(batches: Iterator[pa.RecordBatch], config: IngestConfig) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        formats: list[str] = []
        tables: list[str | None] = []
        for path in batch.column(0).to_pylist():
            file = located(path, config.s3)
            try:
                name = detect(file).format.value
            except (OSError, InputError):
                name = Format.UNKNOWN.value
            whole = name == Format.PARQUET and not parquet_problem(file)
            formats.append(name)
            tables.append(path if whole else None)
        yield pa.RecordBatch.from_arrays(
            [pa.array(formats, pa.string()), pa.array(tables, pa.string())], ["format", "parquet"]
        )


def parquet_problem(path: Path | S3File) -> str:
    """Why a Parquet file cannot be read, by its footer; or an empty string."""
    from pyarrow.parquet import read_metadata

    try:
        with path.open("rb") as file:
            read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        return str(error)[:300]
    return ""


def _records(listing: DataFrame, config: IngestConfig) -> DataFrame:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        paths = (path for batch in batches for path in batch.column(0).to_pylist())
        rows = (row for path in paths for row in _rows_of(path, config))
        return arrow_batches(rows, _ARROW, config.batch_bytes)

    return listing.mapInArrow(read, decided_schema(spark_struct(pa.schema(RECORD_FIELDS))))


def _rows_of(path: str, config: IngestConfig) -> Iterator[Row]:
    source = located(path, config.s3)
    if isinstance(source, Path) and source.is_dir():  # a repository
        yield from read_file(path, config)
        return
    try:
        with source.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except InputError as error:  # S3 refuses this object
        yield quarantined(path, 0, 0, "unreadable_file", str(error))
        return
    if not is_parquet:
        yield from read_file(path, config)
    elif problem := parquet_problem(source):
        yield quarantined(path, 0, source.stat().st_size, "corrupt_parquet", problem)


def arrow_batches(
    rows: Iterator[Row], schema: pa.Schema, batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Rows as record batches of a bounded number of bytes (of `text`, `html`, `extra`) and rows."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(len(row.get(name) or "") for name in ("text", "html", "extra"))
        if size >= batch_bytes or len(held) >= _BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held, size = [], 0
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)


def spark_struct(schema: pa.Schema) -> StructType:
    """An Arrow schema as Spark's, all columns nullable."""
    from pyspark.sql.types import StructType

    fields = [
        {"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}}
        for f in schema
    ]
    return StructType.fromJson(json.loads(json.dumps({"type": "struct", "fields": fields})))


def _with_extra(spark: SparkSession, frame: DataFrame, known: StructType) -> DataFrame:
    """The other fields of records as columns: those that are `known`, and those of JSON records
    with the types that Spark infers from all of them.

    Fields whose names differ only in case cannot be columns side by side: then all other fields
    of JSON records stay one JSON column, `fields`.
    """
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    of_json = F.col("extra").isNotNull() & F.col("content_type").isNull()
    extra = frame.where(of_json).select("extra")
    inferred: StructType | None = None
    with suppress(AnalysisException):
        inferred = spark.read.json(extra).schema
    names = [field.name.lower() for field in inferred or ()]
    if inferred is None or len(set(names)) < len(names):
        return _with_fields(frame, known).withColumn("fields", F.when(of_json, F.col("extra")))
    others = [field for field in inferred if field.name not in known.names]
    return _with_fields(_with_fields(frame, known), StructType(others))


def _with_fields(frame: DataFrame, schema: StructType) -> DataFrame:
    """The fields of `extra` as columns. A name that is taken already becomes `extra_<name>`."""
    from pyspark.sql import functions as F

    if not schema.fields:
        return frame
    taken = {name.lower() for name in frame.columns}
    parsed = F.from_json("extra", schema)
    columns = []
    for name in schema.names:
        alias = f"extra_{name}" if name.lower() in taken else name
        columns.append(parsed.getField(name).alias(alias))
        taken.add(name.lower())
    return frame.select("*", *columns)


def _table(rows: DataFrame, path: str, config: IngestConfig) -> Decided:
    """Rows of a Parquet or Delta table as records: the other columns are carried through."""
    from pyspark.sql import functions as F

    names = {name.lower() for name in rows.columns}
    if not names & {"text", "html"}:
        raise InputError(f"{path}: no column `text` (or `html`); its columns: {rows.columns}")
    text = F.col("text") if "text" in names else F.lit(None).cast("string")
    html = F.col("html") if "html" in names else F.lit(None).cast("binary")
    text = text.cast("string")
    derived = F.substring(
        F.sha2(F.coalesce(F.concat(F.lit("text\n"), text).cast("binary"), html), 256), 1, 32
    )
    stated = F.col("id").cast("string") if "id" in names else F.lit(None).cast("string")
    bad = text.isNull() & html.isNull()
    rows = rows.withColumns({"text": text, "id": F.coalesce(stated, derived)})
    for name, value in {"source": config.source, "source_file": path}.items():
        if name not in names:
            rows = rows.withColumn(name, F.lit(value))
    pointer = F.concat(F.lit(f"{path}#id="), F.coalesce("id", F.lit("null")))
    return Decided(
        rows.withColumns(
            {
                "_verdict": F.when(bad, QUARANTINED).otherwise(KEPT),
                **{name: _null(name) for name in ("_reasons", "_scores")},
                "_error_class": F.when(bad, "missing_text"),
                "_message": F.when(bad, "the row has no text"),
                "_pointer": F.when(bad, pointer),
            }
        )
    )


def _null(name: str) -> Column:
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    field = next(field for field in decided_schema(StructType([])).fields if field.name == name)
    return F.lit(None).cast(field.dataType)


def _renamed(table: DataFrame, frame: DataFrame) -> DataFrame:
    """`table` with the columns that `frame` has under another type renamed to `extra_<name>`."""
    types = dict(frame.dtypes)
    for name, kind in table.dtypes:
        if name in types and types[name] != kind:
            table = table.withColumnRenamed(name, f"extra_{name}")
    return table
