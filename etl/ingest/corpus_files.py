"""The files of a corpus under a field map: JSON lines and Parquet, read in Spark's workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from etl.ingest.columns import BATCH_ROWS, Part, Row
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import Corpus
from etl.ingest.fields import FieldError
from etl.ingest.formats import Format, detect
from etl.ingest.jsonl import read_lines
from etl.ingest.mapped import Mapper, Unmatched, wrong_map
from etl.ingest.records import quarantined, unreadable
from etl.storage.files import located
from schemas.errors import InputError
from schemas.identity import derived_id

_TEXTLESS = 1000  # records without the text field after which a file is given up
_FIELDS = 200


def corpus_parts(path: str, corpus: Corpus, config: IngestConfig) -> Iterator[Part]:
    """Every record of one file, in bounded parts; never raises on what the file holds. A file
    without any record that has the text field is one quarantined row (`wrong_map`)."""
    try:
        file = located(path, config.s3)
        found = detect(file).format
        if found == Format.JSONL:
            records = _lines(file, config)
        elif found == Format.PARQUET:
            records = _table_rows(file, corpus, config)
        else:
            yield Part(rows=[_unmapped(path, found)])
            return
        yield from mapped_parts(records, path, corpus, config)
    except (OSError, InputError) as error:
        yield Part(rows=[quarantined(path, 0, 0, "unreadable_file", str(error))])


def _unmapped(path: str, found: Format) -> Row:
    if found in (Format.EMPTY, Format.UNKNOWN):
        return unreadable(path, found)
    message = f"{found.value}: a field map reads JSONL, Parquet and Delta; ingest it without one"
    return quarantined(path, 0, 0, "unmapped_format", message)


# A record with its place: (offset or row, length or None, record), or the row of what is none.
_Found = tuple[int, int | None, dict[str, Any]] | Row


def mapped_parts(
    records: Iterable[_Found], path: str, corpus: Corpus, config: IngestConfig
) -> Iterator[Part]:
    """Records through the map, in parts of about `batch_bytes` bytes at most."""
    reader, size = _Reader(path, corpus, config), 0
    for found in records:
        if isinstance(found, dict):
            reader.part.rows.append(found)
        else:
            reader.found.append(found)
            size += found[1] or _size(found[2])
        if size >= config.batch_bytes or reader.held >= BATCH_ROWS:
            yield reader.flush()
            size = 0
            if reader.given_up:
                break
    yield reader.flush()
    if reader.textless:  # the rest of a file that was given up is not read
        yield Part(rows=[reader.wrong_map()])


class _Reader:
    """Maps what was found, batch by batch. `textless` holds the rows of records without the text
    until one has it (then it is None): a file of only such is told once, not record by record."""

    def __init__(self, path: str, corpus: Corpus, config: IngestConfig) -> None:
        self.path, self.corpus = path, corpus
        self.mapper = Mapper(corpus, config.source, path)
        self.part = Part()
        self.found: list[tuple[int, int | None, dict[str, Any]]] = []
        self.textless: list[Row] | None = []
        self._fields: dict[str, None] = {}

    @property
    def held(self) -> int:
        return len(self.found) + len(self.part.rows)

    @property
    def given_up(self) -> bool:
        return self.textless is not None and len(self.textless) >= _TEXTLESS

    def wrong_map(self) -> Row:
        return wrong_map(self.path, self.corpus, list(self._fields), len(self.textless or ()))

    def flush(self) -> Part:
        found, self.found = self.found, []
        part, self.part = self.part, Part()
        if found:
            places, lengths, records = zip(*found, strict=True)
            offsets = [p if n is not None else None for p, n in zip(places, lengths, strict=True)]
            part.batch = self.mapper.batch(list(records), offsets, list(lengths))
            if part.batch is not None:
                self._has_text(part)
            else:
                for place, length, record in found:
                    self._one(part, place, length, record)
        return part

    def _has_text(self, part: Part) -> None:
        part.rows += self.textless or ()
        self.textless = None

    def _one(self, part: Part, place: int, length: int | None, record: dict[str, Any]) -> None:
        lacks_text = False
        try:
            offset = place if length is not None else None
            values = self.mapper.values(record, offset, length)
        except Unmatched as error:
            row = self.mapper.left_out(place, length or 0, str(error))
        except FieldError as error:
            row = quarantined(self.path, place, length or 0, error.error_class, str(error))
            lacks_text = error.error_class == "missing_text"
        else:
            part.kept.append(values)
            self._has_text(part)
            return
        if length is None:
            row = _of_table(self.path, place, record, row)
        if lacks_text and self.textless is not None:
            self.textless.append(row)
            self._fields |= dict.fromkeys(list(record)[: _FIELDS - len(self._fields)])
        else:
            part.rows.append(row)


def _size(record: dict[str, Any]) -> int:
    return sum(len(value) for value in record.values() if isinstance(value, str | bytes))


def _of_table(path: str, place: int, record: dict[str, Any], row: Row) -> Row:
    """The row of what has no bytes of its own: it is found by its number, or by its id."""
    where = f"row={place}" if place >= 0 else f"id={record.get('id')}"
    pointer = f"{path}#{where}"
    nowhere = {"source_offset": None, "source_length": None}
    return row | nowhere | {"id": derived_id(pointer), "_pointer": pointer}


def _lines(file: Any, config: IngestConfig) -> Iterator[_Found]:
    for _, offset, length, record, error_class, message in read_lines(
        file, config.max_record_bytes, text=None
    ):
        if error_class:
            yield quarantined(str(file), offset, length, error_class, message)
        else:
            yield offset, length, record


def _table_rows(file: Any, corpus: Corpus, config: IngestConfig) -> Iterator[_Found]:
    """The rows of a Parquet file: only the columns that the map needs, if it needs no others."""
    from pyarrow.parquet import ParquetFile

    row = 0
    try:
        with file.open("rb") as raw:
            table = ParquetFile(raw)
            names = needed_columns(table.schema_arrow.names, corpus)
            rows = _rows_at_once(table, config.batch_bytes)
            for batch in table.iter_batches(batch_size=rows, columns=names, use_threads=False):
                for found in table_records(batch, row, str(file), config):
                    yield found
                    row += 1
    except (pa.ArrowException, OSError) as error:
        message = f"after row {row}: {error}"[:300]
        yield quarantined(str(file), row, 0, "corrupt_parquet", message)


def needed_columns(names: list[str], corpus: Corpus) -> list[str]:
    """The columns that the map reads; all of them where `others` carries the rest, or where the
    text is not there, so that it can be said what is."""
    wanted = {path.split(".")[0] for path in corpus.map.paths} | set(corpus.map.paths)
    found = [name for name in names if name in wanted]
    text = corpus.map.text
    all_of_them = corpus.map.others or not {text, text.split(".")[0]} & set(found)
    return names if all_of_them else found


def _rows_at_once(table: Any, batch_bytes: int) -> int:
    meta = table.metadata
    groups = (meta.row_group(n) for n in range(min(meta.num_row_groups, 10)))
    largest = max((g.total_byte_size / max(1, g.num_rows) for g in groups), default=1.0)
    return int(max(1, min(BATCH_ROWS, batch_bytes / max(1.0, largest))))


def table_records(
    batch: pa.RecordBatch, row: int, path: str, config: IngestConfig
) -> Iterator[_Found]:
    """The rows of a record batch as records, the first of them number `row` (below 0: they have no
    numbers); one that is too large, or that Python cannot hold, is set aside."""
    for number, record in enumerate(_records(batch), start=row):
        number = number if row >= 0 else -1
        if isinstance(record, str):
            bad = quarantined(path, 0, 0, "unreadable_row", f"row {number}: {record}"[:300])
            yield _of_table(path, number, {}, bad)
            continue
        size = _size(record)
        if size > config.max_record_bytes:
            message = f"row {number}: {size} characters, over max_record_bytes"
            yield _of_table(path, number, record, quarantined(path, 0, 0, "too_large", message))
        else:
            yield number, None, record


def _records(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Each row; or why it is none: a string that is not UTF-8, a date after the year 9999."""
    try:
        yield from batch.to_pylist(maps_as_pydicts="lossy")
        return
    except (ValueError, OverflowError):
        pass
    for number in range(batch.num_rows):
        try:
            (record,) = batch.slice(number, 1).to_pylist(maps_as_pydicts="lossy")
        except (ValueError, OverflowError) as error:
            yield str(error)
        else:
            yield record
