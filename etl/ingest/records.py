"""One file into record rows with verdicts: the function that runs in Spark's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.ingest.columns import Part, Row
from etl.ingest.config import IngestConfig
from etl.ingest.formats import KNOWN, Format, detect
from etl.ingest.jsonl import json_text, read_lines, well_formed
from etl.ingest.readers import DOCUMENT_READERS
from etl.ingest.streams import DamagedStream, open_chunks
from etl.ingest.warc import Captured, Span, capture, read_spans
from etl.storage.files import S3File, located
from schemas.errors import InputError
from schemas.identity import derived_id, doc_id, sha256_hex, uri_id

RECORD_FIELDS: tuple[pa.Field, ...] = (
    pa.field("id", pa.string()),
    pa.field("text", pa.string()),
    pa.field("html", pa.binary()),
    pa.field("url", pa.string()),
    pa.field("content_type", pa.string()),
    pa.field("source", pa.string()),
    pa.field("source_file", pa.string()),
    pa.field("source_offset", pa.int64()),
    pa.field("source_length", pa.int64()),
    pa.field("extra", pa.string()),  # other fields of a JSON record, as JSON
)
RECORD_NAMES = tuple(field.name for field in RECORD_FIELDS)


def read_file(path: str, config: IngestConfig) -> Iterator[Part]:
    """Every record of one file (not Parquet or Delta), in bounded parts; never raises on what the
    file holds. A file that cannot be opened or told is one quarantined row."""
    try:
        file = located(path, config.s3)
        found = detect(file).format
        if found == Format.JSONL:
            yield from jsonl_parts(file, config)
        elif found in _READERS:
            yield from _row_parts(_READERS[found](file, config), config.batch_bytes)
        else:
            yield Part(rows=[unreadable(path, found)])
    except (OSError, InputError) as error:
        yield Part(rows=[quarantined(path, 0, 0, "unreadable_file", str(error))])


def _row_parts(rows: Iterator[Row], batch_bytes: int) -> Iterator[Part]:
    part = Part()
    for row in rows:
        part.rows.append(row)
        part.size += len(row.get("text") or "") + len(row.get("html") or b"")
        if part.full(batch_bytes):
            yield part
            part = Part()
    yield part


def unreadable(path: str, found: Format) -> Row:
    """The row of a file that has no reader."""
    if found == Format.EMPTY:
        return quarantined(path, 0, 0, "empty_file", "the file has no bytes")
    message = f"by its content none of the formats that can be read: {KNOWN}"
    return quarantined(path, 0, 0, "unknown_format", message)


def quarantined(path: str, offset: int, length: int, error_class: str, message: str) -> Row:
    """The row of bytes that gave no record."""
    pointer = f"{path}@{offset}+{length}" if length else f"{path}@{offset}"
    return {
        "id": derived_id(pointer),
        "source_file": path,
        "source_offset": offset,
        "source_length": length,
        "_verdict": "quarantined",
        "_error_class": error_class,
        "_message": well_formed(message),
        "_pointer": pointer,
    }


def _kept(
    config: IngestConfig, path: Path | S3File, offset: int, length: int, **values: Any
) -> Row:
    place = {"source_file": str(path), "source_offset": offset, "source_length": length}
    return {"source": config.source, "_verdict": "kept", **place, **values}


def _html_rows(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    body = bytearray()
    try:
        for chunk in open_chunks(path):
            body += chunk
            if len(body) > config.max_record_bytes:
                size = path.stat().st_size
                message = f"more than max_record_bytes={config.max_record_bytes} bytes"
                yield quarantined(str(path), 0, size, "too_large", message)
                return
    except DamagedStream as damage:
        yield quarantined(str(path), damage.offset, 0, damage.error_class, str(damage))
        return
    page = bytes(body)
    url = path.absolute().as_uri()
    yield _kept(
        config,
        path,
        0,
        path.stat().st_size,
        id=page_id(config.source, url, page),
        html=page,
        url=url,
        content_type="text/html",
    )


def jsonl_parts(path: Path | S3File, config: IngestConfig) -> Iterator[Part]:
    """The records of JSON lines, as tuples of `RECORD_FIELDS`, and what is none."""
    name, source, part = str(path), config.source, Part()
    for _, offset, length, record, error_class, message in read_lines(
        path, config.max_record_bytes
    ):
        if error_class:
            part.rows.append(quarantined(name, offset, length, error_class, message))
        else:
            identity, text, url = record_identity(record)
            try:
                extra = json_text(record) if record else None
            except ValueError as error:
                part.rows.append(quarantined(name, offset, length, "not_json", str(error)))
                continue
            part.kept.append((identity, text, None, url, None, source, name, offset, length, extra))
            part.size += length
        if part.full(config.batch_bytes):
            yield part
            part = Part()
    yield part


def record_identity(record: dict[str, Any]) -> tuple[str, str, str | None]:
    """(id, text, url), taken out of the record; an id that is missing is derived from the text."""
    text, stated, url = record.pop("text"), record.pop("id", None), record.get("url")
    given = isinstance(stated, str | int) and not isinstance(stated, bool) and stated != ""
    if isinstance(url, str):
        del record["url"]
    else:
        url = None
    return str(stated) if given else derived_id(text), text, url


def page_id(source: str, url: str, body: bytes) -> str:
    """The id of a page that came without one: its URL's identity and its bytes."""
    return doc_id(uri_id(source, url), sha256_hex(body))


def _warc_rows(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    for span in read_spans(path, config.max_record_bytes):
        row = _warc_row(path, span, config)
        if row is not None:
            yield row


def _warc_row(path: Path | S3File, span: Span, config: IngestConfig) -> Row | None:
    if span.error_class:
        return quarantined(str(path), span.offset, span.length, span.error_class, span.message)
    try:
        captured = capture(span.data, config.max_record_bytes)
    except (OSError, ValueError) as error:
        return quarantined(str(path), span.offset, span.length, "broken_record", str(error)[:300])
    if captured is None:
        return None  # warcinfo, request, metadata, revisit: no document
    if len(captured.body) > config.max_record_bytes:
        message = f"the body inflates to more than max_record_bytes={config.max_record_bytes}"
        return quarantined(str(path), span.offset, span.length, "too_large", message)
    return _kept(
        config, path, span.offset, span.length, url=well_formed(captured.url),
        **_content(captured, config),
    )  # fmt: skip


def _content(captured: Captured, config: IngestConfig) -> Row:
    if captured.kind == "conversion":
        text = captured.body.decode("utf-8", "replace")
        return {"id": derived_id(text), "text": text, "content_type": captured.content_type}
    identity = page_id(config.source, well_formed(captured.url), captured.body)
    return {"id": identity, "html": captured.body, "content_type": captured.content_type}


_READERS: dict[Format, Callable[[Path | S3File, IngestConfig], Iterator[Row]]] = {
    Format.HTML: _html_rows,
    Format.WARC: _warc_rows,
    Format.WET: _warc_rows,
    **DOCUMENT_READERS,
}
