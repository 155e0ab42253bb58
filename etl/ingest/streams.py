"""Compressed files as bounded streams of bytes that say where and why they broke.

A stream yields everything that came before the damage and then raises `DamagedStream`, so that a
truncated file gives its rows. Memory stays bounded whatever the compressed bytes claim.
Sources: RFC 1952 (gzip members), RFC 8878 (Zstandard frames), sourceware.org/bzip2 (its streams).
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from etl.storage.files import S3File

GZIP_MAGIC, ZSTD_MAGIC, BZIP2_MAGIC = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh"
_BZIP2_LEVELS = tuple(b"%d" % level for level in range(1, 10))
CHUNK = 1 << 18
# A Zstandard block of 4 bytes can stand for 128 KiB, and nothing bounds what one call gives: little
# is fed at once, which gives 128 MiB at worst.
_ZSTD_FEED = 1 << 12
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200


class DamagedStream(Exception):
    """The stream cannot be read on. `offset` is where in the file, in compressed bytes."""

    def __init__(self, error_class: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.offset = offset


def compression(head: bytes) -> str:
    """`gzip`, `bzip2`, `zstd` or an empty string, by the first four bytes."""
    if head.startswith(GZIP_MAGIC[:2]):
        return "gzip"
    if head.startswith(BZIP2_MAGIC) and head[3:4] in _BZIP2_LEVELS:
        return "bzip2"
    return "zstd" if head.startswith(ZSTD_MAGIC) else ""


def open_chunks(path: Path | S3File) -> Iterator[bytes]:
    """The decompressed bytes of a file, in pieces of at most a few MB.

    Raises `DamagedStream` of class `truncated_gzip`, `corrupt_gzip`, the same of `bzip2` and
    `zstd`, or `decompression_bomb` after all that could be read; `OSError` as `open` does.
    """
    with path.open("rb") as file:
        yield from inflated(file)


def inflated(file: BinaryIO) -> Iterator[bytes]:
    """`open_chunks` of a file that is open."""
    kind = compression(file.read(4))
    file.seek(0)
    if kind == "gzip":
        yield from _guarded(_gzip_chunks(file), file)
    elif kind == "bzip2":
        yield from _guarded(_bzip2_chunks(file), file)
    elif kind == "zstd":
        yield from _guarded(_zstd_chunks(file), file)
    else:
        while chunk := file.read(CHUNK):
            yield chunk


def _guarded(chunks: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > _BOMB_BYTES and total > _BOMB_RATIO * file.tell():
            read = file.tell()
            message = f"{read} bytes inflate to more than {total}: refused as a decompression bomb"
            raise DamagedStream("decompression_bomb", message, read)
        yield chunk


def _gzip_chunks(file: BinaryIO) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)
    data = b""
    position = 0  # of the byte after `data`
    started = True
    while True:
        if not data:
            data = file.read(CHUNK)
            position += len(data)
            if not data:
                break
        try:
            piece = inflate.decompress(data, CHUNK)
        except zlib.error as error:
            offset = max(0, position - len(data))
            raise DamagedStream("corrupt_gzip", f"gzip data damaged: {error}", offset) from None
        if piece:
            yield piece
        started = True
        if inflate.eof:
            data = inflate.unused_data.lstrip(b"\0")  # padding between members is allowed
            inflate, started = zlib.decompressobj(31), False
        else:
            data = inflate.unconsumed_tail
    yield from _rest(inflate)
    if started and position:
        raise DamagedStream("truncated_gzip", "the gzip data ends before its end mark", position)


def _rest(inflate: Any) -> Iterator[bytes]:
    try:
        rest = inflate.flush()
    except zlib.error:
        rest = b""
    if rest:
        yield rest


def _bzip2_chunks(file: BinaryIO) -> Iterator[bytes]:
    """One stream after another, as the multistream dumps of Wikimedia hold them."""
    inflate, data, position, started = bz2.BZ2Decompressor(), b"", 0, False
    while True:
        if not data and inflate.needs_input:
            data = file.read(CHUNK)
            position += len(data)
            if not data:
                break
        try:
            piece = inflate.decompress(data, CHUNK)
        except OSError as error:
            raise DamagedStream("corrupt_bzip2", f"bzip2 data damaged: {error}", position) from None
        if piece:
            yield piece
        started, data = True, b""
        if inflate.eof:
            data = inflate.unused_data
            inflate, started = bz2.BZ2Decompressor(), False
    if started:
        raise DamagedStream("truncated_bzip2", "the bzip2 data ends before its end mark", position)


def _zstd_chunks(file: BinaryIO) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    frame, open_frame, position = decompressor.decompressobj(), False, 0
    data = b""
    while data or (data := file.read(_ZSTD_FEED)):
        position = file.tell()
        try:
            piece = frame.decompress(data)
        except zstandard.ZstdError as error:
            raise DamagedStream("corrupt_zstd", f"zstd data damaged: {error}", position) from None
        if piece:
            yield piece
        open_frame, data = True, b""
        if frame.eof:
            data = frame.unused_data
            frame, open_frame = decompressor.decompressobj(), False
    if open_frame:
        raise DamagedStream("truncated_zstd", "the zstd data ends before its end mark", position)
