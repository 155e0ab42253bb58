"""The files of a corpus under a field map: JSON lines and Parquet, read in Spark's workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from etl.ingest.columns import BATCH_ROWS, Part, Row
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import Corpus
from etl.ingest.formats import Format, detect
from etl.ingest.jsonl import read_lines
from etl.ingest.mapped import FieldError, Mapper, Unmatched, left_out, wrong_map
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
    """Records through the map, in parts of at most `batch_bytes` bytes of text."""
    mapper, part = Mapper(corpus, config.source, path), Part()
    textless: list[Row] | None = []  # held until a record has the text; then None
    fields: dict[str, None] = {}
    for found in records:
        if isinstance(found, dict):
            part.rows.append(found)
            continue
        place, length, record = found
        try:
            values = mapper.values(record, place if length is not None else None, length)
        except FieldError as error:
            row = quarantined(path, place, length or 0, error.error_class, str(error))
            if length is None:
                row = _of_table(path, place, record, row)
            if error.error_class != "missing_text" or textless is None:
                part.rows.append(row)
            else:
                textless.append(row)
                fields |= dict.fromkeys(list(record)[: _FIELDS - len(fields)])
                if len(textless) >= _TEXTLESS:
                    break
        except Unmatched as error:
            row = left_out(path, place, length or 0, str(error))
            part.rows.append(row if length is not None else _of_table(path, place, record, row))
        else:
            if textless:
                part.rows += textless
            textless = None
            part.kept.append(values)
            part.size += len(values[1])
        if part.full(config.batch_bytes):
            yield part
            part = Part()
    if textless:
        part.rows.append(wrong_map(path, corpus, list(fields), len(textless)))
    yield part


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
    numbers); one that is too large is set aside."""
    records = batch.to_pylist(maps_as_pydicts="lossy")
    for number, record in enumerate(records, start=row):
        number = number if row >= 0 else -1
        size = sum(len(v) for v in record.values() if isinstance(v, str | bytes))
        if size > config.max_record_bytes:
            message = f"row {number}: {size} characters, over max_record_bytes"
            yield _of_table(path, number, record, quarantined(path, 0, 0, "too_large", message))
        else:
            yield number, None, record
