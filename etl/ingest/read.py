"""Input of any format as one Spark DataFrame of records, with what could not be read beside it.

Each file is read by one task, in the worker, with bounded memory. Parquet and Delta are read by
Spark itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from etl.ingest.columns import Part, with_verdicts
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import load_corpus
from etl.ingest.document_fields import document_fields
from etl.ingest.formats import Format, detect, is_repository
from etl.ingest.records import RECORD_FIELDS, quarantined, read_file
from etl.storage.files import S3File, located
from etl.storage.location import is_s3, spark_path
from etl.storage.objects import list_objects
from etl.tables.outcome import KEPT, QUARANTINED, VERDICT_FIELDS, Decided, decided_schema
from schemas.errors import InputError
from schemas.spec import spark_type

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = ["IngestConfig", "read_files", "read_records"]

_RECORD = pa.schema(RECORD_FIELDS)
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
    when there is nothing at `path`. With a field map the columns are those of `mapped_schema`.
    """
    config = config or IngestConfig()
    path = path.removeprefix("file://")
    if "://" in path and not is_s3(path):
        raise InputError(f"{path}: not a scheme that can be read; give a local path or s3://")
    root = located(path, config.s3)
    corpus = load_corpus(path, config)
    if corpus is not None:
        from etl.ingest.corpus_read import corpus_frame

        return corpus_frame(spark, path, corpus, config)
    if detect(root).format == Format.DELTA:
        return _table(spark.read.format("delta").load(spark_path(path)), path, config)
    return _read_listing(spark, file_listing(spark, root), config)


def read_files(
    spark: SparkSession, files: list[str], config: IngestConfig | None = None
) -> Decided:
    """`read_records` of some files, named one by one (none of them a Delta table)."""
    config = config or IngestConfig()
    listing = spark.createDataFrame([(file,) for file in files], "path string")
    corpus = load_corpus(place_of(files), config)
    if corpus is not None:
        from etl.ingest.corpus_read import corpus_frame

        return corpus_frame(spark, listing, corpus, config)
    return _read_listing(spark, listing, config)


def place_of(files: Sequence[str]) -> str:
    """The one file, or the deepest folder, local or on S3, that holds all of the files."""
    if len(files) == 1:
        return files[0]
    folders = [file.split("/")[:-1] for file in files]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return "/".join(parts[0] for parts in shared)


def file_listing(spark: SparkSession, path: Path | S3File) -> DataFrame:
    """One row a file. A task walks the folder, so that the driver holds none of it; hidden files
    and folders (`_x`, `.x`) are left out, as Spark does."""
    root = path.absolute()
    one_file = root.is_file()

    def walk(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for _ in range(batch.num_rows):
                yield from [_path_batch([str(root)])] if one_file else _walked(root)

    listing = spark.range(0, 1, 1, 1).mapInArrow(walk, "path string")
    tasks = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    return listing if one_file else listing.repartition(tasks, "path")


def _path_batch(paths: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"path": pa.array(paths, pa.string())})


def _walked(root: Path | S3File) -> Iterator[pa.RecordBatch]:
    names = _objects_below(root) if isinstance(root, S3File) else _files_below(root)
    while held := list(islice(names, _BATCH_ROWS)):
        yield _path_batch(held)


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
    found = formats_of(listing, config)
    if not found:
        raise InputError("the folder holds no files; put input into it or name another one")
    frame = _records(listing, config)
    known = spark_struct(document_fields(found))
    if Format.JSONL in found:
        frame = _with_extra(spark, frame, extras(listing, config), known)
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


def formats_of(listing: DataFrame, config: IngestConfig) -> dict[str, list[str]]:
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
        for path in _paths(batches):
            yield from with_verdicts(_parts_of(path, config), _RECORD)

    return listing.mapInArrow(read, decided_schema(spark_struct(_RECORD)))


def _paths(batches: Iterator[pa.RecordBatch]) -> Iterator[str]:
    return (path for batch in batches for path in batch.column(0).to_pylist())


def _parts_of(path: str, config: IngestConfig) -> Iterator[Part]:
    source = located(path, config.s3)
    if isinstance(source, Path) and source.is_dir():  # a repository
        yield from read_file(path, config)
        return
    try:
        with source.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except InputError as error:  # S3 refuses this object
        yield Part(rows=[quarantined(path, 0, 0, "unreadable_file", str(error))])
        return
    if not is_parquet:
        yield from read_file(path, config)
    elif problem := parquet_problem(source):
        size = source.stat().st_size
        yield Part(rows=[quarantined(path, 0, size, "corrupt_parquet", problem)])


def spark_struct(schema: pa.Schema) -> StructType:
    """An Arrow schema as Spark's, all columns nullable."""
    from pyspark.sql.types import StructType

    fields = [
        {"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}}
        for f in schema
    ]
    return StructType.fromJson(json.loads(json.dumps({"type": "struct", "fields": fields})))


def _with_extra(
    spark: SparkSession, frame: DataFrame, others: DataFrame, known: StructType
) -> DataFrame:
    """The other fields of records as columns: those that are `known`, and those of JSON records
    (`others`) with the types that Spark infers from all of them.

    Where these cannot be columns side by side, they stay one JSON column, `fields`.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    of_json = F.col("extra").isNotNull() & F.col("content_type").isNull()
    inferred = inferred_fields(spark, others)
    if inferred is None:
        return _with_fields(frame, known).withColumn("fields", F.when(of_json, F.col("extra")))
    unknown = [field for field in inferred if field.name not in known.names]
    return _with_fields(_with_fields(frame, known), StructType(unknown))


def inferred_fields(spark: SparkSession, others: DataFrame) -> StructType | None:
    """What Spark infers from JSON objects; None for fields whose names differ only in case."""
    from pyspark.errors import AnalysisException

    inferred: StructType | None = None
    with suppress(AnalysisException):
        inferred = spark.read.json(others).schema
    names = [field.name.lower() for field in inferred or ()]
    return inferred if len(set(names)) == len(names) else None


def _is_jsonl(path: str, config: IngestConfig) -> bool:
    try:
        return detect(located(path, config.s3)).format == Format.JSONL
    except (OSError, InputError):
        return False


def _with_fields(frame: DataFrame, schema: StructType) -> DataFrame:
    """The fields of `extra` as columns. A name that is taken already becomes `extra_<name>`."""
    from pyspark.sql import functions as F

    if not schema.fields:
        return frame
    parsed = F.from_json("extra", schema)
    aliases = extra_names(schema.names, frame.columns)
    columns = [
        parsed.getField(name).alias(alias)
        for name, alias in zip(schema.names, aliases, strict=True)
    ]
    return frame.select("*", *columns)


def extra_names(names: Sequence[str], columns: Sequence[str] = ()) -> list[str]:
    """The columns of other fields beside `columns` (default: a record's with its verdict)."""
    of_record = (field.name for field in (*RECORD_FIELDS, *VERDICT_FIELDS))
    taken = {name.lower() for name in columns or of_record}
    found = []
    for name in names:
        found.append(f"extra_{name}" if name.lower() in taken else name)
        taken.add(name.lower())
    return found


def extras(listing: DataFrame, config: IngestConfig, parts: int | None = None) -> DataFrame:
    """The other fields of JSON records alone (of the first `parts` of each file), so that no text
    is carried from the workers for their types, and no other file is read."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for path in _paths(batches):
            found = _parts_of(path, config) if _is_jsonl(path, config) else iter(())
            for part in islice(found, parts):
                extra = [one for *_, one in part.kept if one is not None]
                if extra:
                    yield pa.RecordBatch.from_arrays([pa.array(extra, pa.string())], ["extra"])

    return listing.mapInArrow(read, "extra string")


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
