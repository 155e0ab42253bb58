"""One file into record rows with verdicts: the function that runs in Spark's workers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.ingest.config import IngestConfig
from etl.ingest.formats import KNOWN, Format, detect
from etl.ingest.jsonl import read_lines
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

_SURROGATES = re.compile("[\ud800-\udfff]")
Row = dict[str, Any]


def read_file(path: str, config: IngestConfig) -> Iterator[Row]:
    """Every record of one file (not Parquet or Delta) as a row with its verdict; never raises on
    what the file holds. A file that cannot be opened or told is one quarantined row."""
    try:
        file = located(path, config.s3)
        detected = detect(file)
        reader = _READERS.get(detected.format)
        if reader is None:
            yield _unreadable(path, detected.format)
            return
        yield from reader(file, config)
    except (OSError, InputError) as error:
        yield quarantined(path, 0, 0, "unreadable_file", str(error))


def _unreadable(path: str, found: Format) -> Row:
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


def well_formed(text: str) -> str:
    """The text with lone surrogates, which JSON can spell and UTF-8 cannot, replaced."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _kept(
    config: IngestConfig, path: Path | S3File, offset: int, length: int, **values: Any
) -> Row:
    place = {"source_file": str(path), "source_offset": offset, "source_length": length}
    return {"source": config.source, "_verdict": "kept", **place, **values}


def _jsonl_rows(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    for line in read_lines(path, config.max_record_bytes):
        if line.error_class:
            yield quarantined(str(path), line.offset, line.length, line.error_class, line.message)
            continue
        record = line.record
        text = well_formed(record["text"])
        stated = record.get("id")
        given = isinstance(stated, str | int) and not isinstance(stated, bool) and stated != ""
        url = record.get("url")
        taken = {"id", "text", *(["url"] if isinstance(url, str) else [])}
        extra = {well_formed(k): v for k, v in record.items() if k not in taken}
        yield _kept(
            config,
            path,
            line.offset,
            line.length,
            id=well_formed(str(stated)) if given else derived_id(text),
            text=text,
            url=well_formed(url) if isinstance(url, str) else None,
            extra=well_formed(json.dumps(extra, ensure_ascii=False)) if extra else None,
        )


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
    Format.JSONL: _jsonl_rows,
    Format.HTML: _html_rows,
    Format.WARC: _warc_rows,
    Format.WET: _warc_rows,
    **DOCUMENT_READERS,
}
