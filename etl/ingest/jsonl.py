"""JSON Lines: one record a line, each line bounded, each bad line a place and a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.ingest.streams import DamagedStream, open_chunks
from etl.storage.files import S3File


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line, or why it is none; `offset`, `length`: its place in the decompressed file."""

    number: int
    offset: int
    length: int
    record: dict[str, Any] = field(default_factory=dict)
    error_class: str = ""
    message: str = ""


def read_lines(path: Path | S3File, max_bytes: int) -> Iterator[Line]:
    """Every line that is not blank.

    Classes of bad ones: `not_json`, `not_an_object`, `invalid_utf8`, `missing_text`, `too_large`;
    and one for the rest of a damaged file (`truncated_gzip`, `corrupt_gzip`, ...), whose last,
    unfinished line is part of it.
    """
    number = offset = 0
    try:
        for number, (offset, raw, length) in enumerate(_raw_lines(path, max_bytes), start=1):
            if length > max_bytes:
                message = f"line {number}: {length} bytes, more than max_record_bytes={max_bytes}"
                yield Line(number, offset, length, error_class="too_large", message=message)
            elif raw.strip():
                yield parse_line(raw, number, offset)
            offset += length
    except DamagedStream as damage:
        message = f"after line {number}: {damage}"
        yield Line(number + 1, offset, 0, error_class=damage.error_class, message=message)


def _raw_lines(path: Path | S3File, max_bytes: int) -> Iterator[tuple[int, bytes, int]]:
    """(offset, bytes, length) of each line; of a line that is too long, no bytes are kept."""
    offset = length = 0
    held: list[bytes] = []
    for chunk in open_chunks(path):
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            length += end + 1 - start
            held.append(chunk[start : end + 1])
            yield offset, b"".join(held) if length <= max_bytes else b"", length
            offset += length
            start, length, held = end + 1, 0, []
        rest = chunk[start:]
        length += len(rest)
        held = [*held, rest] if length <= max_bytes else []
    if length:
        yield offset, b"".join(held), length


def parse_line(raw: bytes, number: int = 1, offset: int = 0) -> Line:
    """One line as a text record; never raises."""

    def bad(error_class: str, why: str) -> Line:
        message = f"line {number}: {why}"[:300]
        return Line(number, offset, len(raw), error_class=error_class, message=message)

    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        return bad("invalid_utf8", f"not UTF-8 at byte {error.start}: {error.reason}")
    except RecursionError:
        return bad("not_json", "nested too deeply")
    except ValueError as error:
        return bad("not_json", str(error))
    if not isinstance(value, dict):
        return bad("not_an_object", f"a JSON {type(value).__name__}, not an object")
    if not isinstance(value.get("text"), str):
        return bad("missing_text", "no string field `text`")
    return Line(number, offset, len(raw), value)
