"""The size of the picture in a file, where the page did not state it: MP4 and WebM headers only.

Sources: ISO/IEC 14496-12 (box structure, `tkhd`), RFC 8794 and RFC 9559 (EBML, Matroska).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_PARTS = 10_000  # of boxes or elements looked at: a file is not to be trusted
_TRACK_MASTERS = {0x18538067, 0x1654AE6B, 0xAE, 0xE0}  # Segment, Tracks, TrackEntry, Video
_PIXEL_WIDTH, _PIXEL_HEIGHT, _CLUSTER = 0xB0, 0xBA, 0x1F43B675


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels of the largest picture, or None where they cannot be told."""
    with path.open("rb") as handle:
        head = handle.read(12)
        end = path.stat().st_size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            sizes = list(_mp4(handle, end))
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            sizes = list(_matroska(handle, end))
        else:
            return None
    return max(sizes, key=lambda size: size[1], default=None)


def _mp4(handle: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    waiting, looked = [(0, size)], 0
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end and looked < _MAX_PARTS:
            looked += 1
            handle.seek(at)
            header = handle.read(16)
            length, kind, body = int.from_bytes(header[:4], "big"), header[4:8], at + 8
            if length == 1:
                length, body = int.from_bytes(header[8:16], "big"), at + 16
            length = length or end - at  # 0: up to the end
            if length < body - at or at + length > end:
                break
            if kind in (b"moov", b"trak"):
                waiting.append((body, at + length))
            elif kind == b"tkhd":
                handle.seek(at + length - 8)
                fixed = handle.read(8)  # 16.16 fixed point, the last fields of the box
                width, height = (int.from_bytes(fixed[i : i + 2], "big") for i in (0, 4))
                if width and height:
                    yield width, height
            at += length


def _matroska(handle: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    at, looked, width = 0, 0, 0
    while at < size and looked < _MAX_PARTS:
        looked += 1
        handle.seek(at)
        header = handle.read(12)
        identifier, first = _number(header, keep_marker=True)
        length, second = _number(header[first:], keep_marker=False)
        body = at + first + second
        if not first or not second or identifier == _CLUSTER:
            return
        if identifier in _TRACK_MASTERS:
            at = body  # go inside; what follows it is walked in the same way
            continue
        if identifier in (_PIXEL_WIDTH, _PIXEL_HEIGHT) and 1 <= length <= 8:
            handle.seek(body)
            value = int.from_bytes(handle.read(length), "big")
            if identifier == _PIXEL_WIDTH:
                width = value
            else:
                yield width, value
        at = body + length


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A variable-length number of EBML and its length in bytes; length 0 when it is none."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), length
