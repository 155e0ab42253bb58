"""WARC and WET files record by record, whatever is broken in them.

fastwarc parses the records; this module finds where they begin and end, so that a truncated member,
a wrong Content-Length or garbage costs that record only and is reported with its place.
Sources: ISO 28500 (WARC/1.1), RFC 1952; github.com/chatnoir-eu/chatnoir-resiliparse (fastwarc).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from etl.ingest.streams import CHUNK, GZIP_MAGIC, DamagedStream, compression, open_chunks
from etl.storage.files import S3File

_START = re.compile(rb"WARC/\d\.\d\r?\n")
_LENGTH = re.compile(rb"^Content-Length:\s*(\d{1,18})\s*$", re.IGNORECASE | re.MULTILINE)
_HEADER_LIMIT = 1 << 16
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Span:
    """A record's bytes, or why there are none. `offset` and `length` are places in the file."""

    offset: int
    length: int
    data: bytes = b""
    error_class: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Captured:
    """A response or conversion record: its URL, content type, HTTP status, body, `Link` header."""

    url: str
    content_type: str | None
    status: int | None
    body: bytes
    kind: str
    link: str | None = None


def read_spans(path: Path | S3File, max_bytes: int) -> Iterator[Span]:
    """Every record of a WARC file, in order; what is no record is a `Span` with an `error_class`.

    Classes: `truncated_gzip`, `corrupt_gzip`, `truncated_zstd`, `corrupt_zstd`,
    `decompression_bomb`, `wrong_length`, `truncated_record`, `garbage`, `too_large`.
    """
    with path.open("rb") as file:
        kind = compression(file.read(4))
        file.seek(0)
        if kind == "gzip":
            yield from _member_spans(file, max_bytes)
            return
    yield from _stream_spans(_Feed(open_chunks(path)), max_bytes)


def read_at(file: BinaryIO, offset: int, length: int, max_bytes: int) -> Span:
    """The record at a place that `read_spans` (or a crawl) told."""
    file.seek(offset)
    data = file.read(min(length, max_bytes))
    if data.startswith(GZIP_MAGIC):
        inflate = zlib.decompressobj(31)
        try:
            record = inflate.decompress(data, max_bytes + _HEADER_LIMIT)
        except zlib.error as error:
            return Span(offset, length, error_class="corrupt_gzip", message=str(error))
        if not inflate.eof:
            short = len(data) < length or not inflate.unconsumed_tail
            name = "truncated_gzip" if short else "too_large"
            return Span(offset, length, error_class=name, message="the record does not end here")
        data = record
    spans = list(_stream_spans(_Feed(iter([data])), max_bytes))
    first = spans[0] if spans else Span(0, 0, error_class="garbage", message="no record here")
    return Span(offset, length, first.data, first.error_class, first.message)


def capture(data: bytes, max_bytes: int) -> Captured | None:
    """The response (or conversion, or HTML resource) in a record; None for any other record.

    The body is decoded from its transfer and content encodings, up to `max_bytes` + 1 bytes. Raises
    `OSError` or `ValueError` when the record or its HTTP header cannot be parsed.
    """
    from fastwarc.warc import WarcRecord, WarcRecordType

    record = WarcRecord.from_bytes(data)
    kind: Any = record.record_type
    url = str(record.headers.get("WARC-Target-URI") or "").strip("<>")
    if kind == WarcRecordType.response and record.is_http:
        record.parse_http(auto_decode="all", quirks_mode=True)
        header = record.http_headers
        status = header.status_code if header is not None else None
        content_type = header.get("Content-Type") if header is not None else None
        link = header.get("Link") if header is not None else None
        body = record.reader.read(max_bytes + 1)
        return Captured(url, content_type, status, body, "response", link)
    if kind in (WarcRecordType.conversion, WarcRecordType.resource, WarcRecordType.response):
        content_type = record.headers.get("Content-Type")
        name = "conversion" if kind == WarcRecordType.conversion else "response"
        return Captured(url, content_type, None, record.reader.read(max_bytes + 1), name)
    return None


class _Feed:
    """A window over a stream of chunks: look ahead, take, skip; remembers how the stream ended."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.buffer = bytearray()
        self.position = 0  # of the buffer's first byte in the stream
        self.damage: DamagedStream | None = None
        self._over = False

    def fill(self, size: int) -> bool:
        """Whether `size` bytes can be looked at."""
        while len(self.buffer) < size and not self._over:
            try:
                self.buffer += next(self._chunks)
            except StopIteration:
                self._over = True
            except DamagedStream as damage:
                self.damage, self._over = damage, True
        return len(self.buffer) >= size

    def drop(self, size: int) -> int:
        """Moves on by up to `size` bytes without keeping them; how many there were."""
        dropped = 0
        while dropped < size and self.fill(1):
            step = min(size - dropped, len(self.buffer))
            del self.buffer[:step]
            dropped += step
        self.position += dropped
        return dropped

    def seek_start(self, after: int) -> int:
        """Drops everything up to the next record start that lies `after` bytes on; how much."""
        dropped = self.drop(after)
        while self.fill(1):
            more = self.fill(len(self.buffer) + 1)
            if found := _START.search(self.buffer):
                return dropped + self.drop(found.start())
            # A record start may lie across two chunks.
            dropped += self.drop(max(0, len(self.buffer) - 16) if more else len(self.buffer))
        return dropped


def _stream_spans(feed: _Feed, max_bytes: int) -> Iterator[Span]:
    """Records of an unbroken stream, with offsets in the stream."""
    while feed.fill(1):
        start = feed.position
        feed.fill(_HEADER_LIMIT)
        if not _START.match(feed.buffer):
            yield Span(start, feed.seek_start(0), error_class="garbage", message="no WARC record")
            continue
        yield _one_record(feed, start, max_bytes)
    if feed.damage is not None:
        damage = feed.damage
        yield Span(damage.offset, 0, error_class=damage.error_class, message=str(damage))


def _one_record(feed: _Feed, start: int, max_bytes: int) -> Span:
    end = feed.buffer.find(_END, 0, _HEADER_LIMIT)
    stated = _LENGTH.search(feed.buffer[: max(end, 0)] + b"\r\n")
    if end < 0 or stated is None:
        length = feed.seek_start(5)
        return Span(start, length, error_class="wrong_length", message="no Content-Length header")
    size = end + len(_END) + int(stated.group(1))
    if size > max_bytes + _HEADER_LIMIT:
        dropped = feed.drop(size)
        feed.seek_start(0)
        message = f"a record of {size} bytes, more than max_record_bytes={max_bytes}"
        return Span(start, dropped, error_class="too_large", message=message)
    whole = feed.fill(size)
    feed.fill(size + len(_END))
    trailer = bytes(feed.buffer[size : size + len(_END)])
    if whole and (
        trailer == _END or not trailer.strip() or _START.match(feed.buffer[size : size + 16])
    ):
        data = bytes(feed.buffer[:size])
        feed.drop(size)
        blank = len(feed.buffer[:8]) - len(feed.buffer[:8].lstrip(b"\r\n"))
        feed.drop(blank)
        return Span(start, size + blank, data)
    held = len(feed.buffer)
    length = feed.seek_start(5)
    if not whole and length >= held:
        message = f"Content-Length says {stated.group(1).decode()}, but the data ends before"
        return Span(start, length, error_class="truncated_record", message=message)
    message = f"Content-Length says {stated.group(1).decode()}, but no record ends there"
    return Span(start, length, error_class="wrong_length", message=message)


def _member_spans(file: BinaryIO, max_bytes: int) -> Iterator[Span]:
    """Records of a gzip file: one to a member, as written by crawlers, or all in one member."""
    members = _Members(file)
    while members.at_data():
        start = members.position
        if not members.at_magic():
            yield Span(start, members.resync(0), error_class="garbage", message="no gzip member")
            continue
        feed = _Feed(members.chunks())
        waiting: Span | None = None
        several = False
        for span in _stream_spans(feed, max_bytes):
            if feed.damage is not None and not span.data:
                continue  # said once for the member, below
            several = waiting is not None
            if waiting is not None:
                yield waiting
            # The member is whole, so that nothing was cut off: it is the length that is wrong.
            error = "wrong_length" if span.error_class == "truncated_record" else span.error_class
            waiting = Span(start, 0, span.data, error, span.message)
        if waiting is not None:
            # Only a record with a member of its own has a place to itself.
            length = 0 if several or feed.damage else members.position - start
            yield Span(start, length, waiting.data, waiting.error_class, waiting.message)
        if feed.damage is not None:
            name, message = feed.damage.error_class, str(feed.damage)
            yield Span(start, members.resync(start + 1), error_class=name, message=message)


class _Members:
    """The gzip members of a file, one after another."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.position = 0

    def at_data(self) -> bool:
        self.file.seek(self.position)
        return bool(self.file.read(1))

    def at_magic(self) -> bool:
        self.file.seek(self.position)
        return self.file.read(3) == GZIP_MAGIC

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the member at `position`, which moves behind it."""
        self.file.seek(self.position)
        inflate, data = zlib.decompressobj(31), b""
        while not inflate.eof:
            data = inflate.unconsumed_tail or self.file.read(CHUNK)
            if not data:
                raise DamagedStream("truncated_gzip", "the gzip data ends early", self.position)
            try:
                piece = inflate.decompress(data, CHUNK)
            except zlib.error as error:
                raise DamagedStream("corrupt_gzip", str(error), self.position) from None
            if piece:
                yield piece
        self.position = self.file.tell() - len(inflate.unused_data)

    def resync(self, start: int) -> int:
        """Moves to the next place that looks like a member with a WARC record; how far that is."""
        origin = self.position
        place = max(start, self.position)
        while True:
            self.file.seek(place)
            data = self.file.read(CHUNK + 2)
            found = data.find(GZIP_MAGIC)
            while found >= 0:
                if self._is_record(place + found):
                    self.position = place + found
                    return self.position - origin
                found = data.find(GZIP_MAGIC, found + 1)
            if len(data) < CHUNK + 2:
                self.position = place + len(data)
                return self.position - origin
            place += CHUNK

    def _is_record(self, place: int) -> bool:
        self.file.seek(place)
        try:
            return zlib.decompressobj(31).decompress(self.file.read(512), 5) == b"WARC/"
        except zlib.error:
            return False
