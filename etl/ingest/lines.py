"""JSON lines straight into a new table's files: `foundry ingest` where all of the input is such.

The columns' types are those that Spark infers from the first records of each file. The workers hold
every value to them while they write; one of another type, or a field that was not seen, ends the
attempt, and the general way (`read_records`) infers from all records. Both give the same table, and
a test holds them to it; this one parses once and takes no text through the JVM.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.ingest.columns import BATCH_ROWS, Part
from etl.ingest.config import IngestConfig
from etl.ingest.corpus_read import Written, commit_parts, write_parts
from etl.ingest.formats import Format
from etl.ingest.jsonl import read_lines
from etl.ingest.read import extra_names, extras, file_listing, formats_of, inferred_fields
from etl.ingest.records import RECORD_FIELDS, quarantined, record_identity
from etl.storage.files import located

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType

_SAMPLED = 1  # parts of each file: up to 2,000 records
_DEVIATES = "deviates"
_BASE = tuple(f for f in RECORD_FIELDS if f.name not in ("html", "content_type", "extra"))
_NO_COLUMN = re.compile(r"[ ,;{}()\n\t=]")  # in names that Delta refuses
_FLAT: dict[pa.DataType, frozenset[type]] = {
    pa.string(): frozenset({str, type(None)}),
    pa.int64(): frozenset({int, type(None)}),
    pa.float64(): frozenset({float, int, type(None)}),
    pa.bool_(): frozenset({bool, type(None)}),
}


def write_lines(
    spark: SparkSession, path: str, config: IngestConfig, folder: str, form: str
) -> Written | None:
    """Writes the records of `path` as a new table in `folder` (local, or seen by all workers), and
    `_quarantined` beside it. None, with nothing left there, when it has to go the general way."""
    root = located(path.removeprefix("file://"), config.s3)
    listing = file_listing(spark, root)
    if formats_of(listing, config).keys() != {Format.JSONL}:
        return None
    columns = _columns(spark, extras(listing, config, _SAMPLED))
    if columns is None:
        return None
    reader = _Lines(columns, config)
    place = Path(folder)
    written = write_parts(listing, reader.parts, place, reader.schema)
    if not written.inputs.get(_DEVIATES):
        commit_parts(place, written, reader.schema, form)
        return written
    for left in place.iterdir() if place.exists() else ():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return None


def _columns(spark: SparkSession, sample: Any) -> dict[str, pa.Field] | None:
    """Field of a record -> its column; None where they cannot be columns of these few types."""
    inferred = inferred_fields(spark, sample)
    if inferred is None or any(_NO_COLUMN.search(field.name) for field in inferred):
        return None
    kinds = [_arrow(field.dataType) for field in inferred]
    if None in kinds:
        return None
    names = extra_names([field.name for field in inferred])
    return {
        field.name: pa.field(name, kind)
        for field, name, kind in zip(inferred, names, kinds, strict=True)
    }


def _arrow(kind: DataType) -> pa.DataType | None:
    from pyspark.sql import types as T

    flat = {
        T.StringType: pa.string(), T.LongType: pa.int64(), T.DoubleType: pa.float64(),
        T.BooleanType: pa.bool_(),
    }  # fmt: skip
    if isinstance(kind, T.ArrayType):
        inner = _arrow(kind.elementType)
        return None if inner is None else pa.list_(inner)
    if isinstance(kind, T.StructType):
        fields = [(field.name, _arrow(field.dataType)) for field in kind]
        return None if any(inner is None for _, inner in fields) else pa.struct(fields)
    return flat.get(type(kind))


def fits(value: Any, kind: pa.DataType) -> bool:
    """Whether Spark would infer nothing wider than `kind` from the value."""
    if kind in _FLAT:
        return type(value) in _FLAT[kind]
    if value is None:
        return True
    if pa.types.is_list(kind):
        return type(value) is list and all(fits(one, kind.value_type) for one in value)
    return type(value) is dict and all(
        (place := kind.get_field_index(name)) >= 0 and fits(one, kind.field(place).type)
        for name, one in value.items()
    )


class _Deviates(Exception):
    """A record has a field, or a value, that the columns do not hold as it is."""


@dataclass(frozen=True)
class _Lines:
    """The reader that runs in the workers."""

    columns: dict[str, pa.Field]
    config: IngestConfig

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*_BASE, *self.columns.values()])

    def parts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Part | str]:
        for path in (path for batch in batches for path in batch.column(0).to_pylist()):
            try:
                yield from self._file(path)
            except _Deviates:
                yield _DEVIATES
                return

    def _file(self, path: str) -> Iterator[Part]:
        part, records, places = Part(), [], []
        file = located(path, self.config.s3)
        for _, offset, length, record, error_class, message in read_lines(
            file, self.config.max_record_bytes
        ):
            if error_class:
                part.rows.append(quarantined(path, offset, length, error_class, message))
            else:
                records.append(record)
                places.append((offset, length))
                part.size += length
            if part.size >= self.config.batch_bytes or len(records) + len(part.rows) >= BATCH_ROWS:
                yield self._filled(part, path, records, places)
                part, records, places = Part(), [], []
        yield self._filled(part, path, records, places)

    def _filled(
        self, part: Part, path: str, records: list[dict[str, Any]], places: list[tuple[int, int]]
    ) -> Part:
        if records:
            base = [record_identity(record) for record in records]
            ids, texts, urls = zip(*base, strict=True)
            offsets, lengths = zip(*places, strict=True)
            count, names = len(records), self.columns.keys()
            if not all(names >= record.keys() for record in records):
                raise _Deviates
            columns = [
                *(pa.array(values, pa.string()) for values in (ids, texts, urls)),
                pa.repeat(self.config.source, count), pa.repeat(path, count),
                pa.array(offsets, pa.int64()), pa.array(lengths, pa.int64()),
                *(_column([r.get(n) for r in records], f.type) for n, f in self.columns.items()),
            ]  # fmt: skip
            part.batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return part


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    flat = _FLAT.get(kind)
    held = set(map(type, values)) <= flat if flat else all(fits(value, kind) for value in values)
    if not held:
        raise _Deviates
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError) as error:
        raise _Deviates from error
