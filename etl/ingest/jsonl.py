"""JSON Lines: one record a line, each line bounded, each bad line a place and a reason.

Two parsers, one result. orjson takes the lines that it reads exactly as Python's json would; all
others, whatever is odd about them, go to the careful one, which says what is wrong. A test holds
both to the same records and reasons. (pyarrow's own JSON reader is somewhat faster, but a line of
`null` ends its process.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from etl.ingest.streams import DamagedStream, open_chunks
from etl.storage.files import S3File

_SURROGATES = re.compile("[\ud800-\udfff]")
_EXPONENT = re.compile(rb"\de[+\d]")  # how orjson writes what an integer beyond 64 bits became
_EXACT_LOW, _EXACT_HIGH = -(2.0**63), 2.0**63


class Line(NamedTuple):
    """A parsed line, or why it is none; `offset`, `length`: its place in the decompressed file.
    `length` counts the newline."""

    number: int
    offset: int
    length: int
    record: dict[str, Any] = {}  # noqa: RUF012 - never written to
    error_class: str = ""
    message: str = ""


def read_lines(path: Path | S3File, max_bytes: int, text: str | None = "text") -> Iterator[Line]:
    """Every line that is not blank; `text` names the string field that each must have. With None
    none is asked for, and integers beyond 64 bits are floats, as they are in the tables.

    Classes of bad ones: `not_json`, `not_an_object`, `invalid_utf8`, `missing_text`, `too_large`;
    and one for the rest of a damaged file (`truncated_gzip`, `corrupt_gzip`, ...), whose last,
    unfinished line is part of it.
    """
    number = offset = 0
    quick = exact_record if text is not None else any_record
    try:
        for number, (raw, length) in enumerate(_raw_lines(path, max_bytes), start=1):
            if length > max_bytes:
                message = f"line {number}: {length} bytes, more than max_record_bytes={max_bytes}"
                yield Line(number, offset, length, error_class="too_large", message=message)
            elif (record := quick(raw)) is not None and (
                text is None or isinstance(record.get(text), str)
            ):
                yield Line(number, offset, length, record)
            elif raw.strip():
                yield parse_line(raw, number, offset, text)._replace(length=length)
            offset += length
    except DamagedStream as damage:
        message = f"after line {number}: {damage}"
        yield Line(number + 1, offset, 0, error_class=damage.error_class, message=message)


def _raw_lines(path: Path | S3File, max_bytes: int) -> Iterator[tuple[bytes, int]]:
    """(bytes without newline, length with it) of each line; of one that is too long, no bytes."""
    length = 0
    held: list[bytes] = []
    for chunk in open_chunks(path):
        first, *lines = chunk.split(b"\n")
        length += len(first)
        held = [*held, first] if length <= max_bytes else []
        if not lines:
            continue
        yield b"".join(held), length + 1
        rest = lines.pop()
        for line in lines:
            yield line, len(line) + 1
        length, held = len(rest), [rest]
    if length:
        yield b"".join(held), length


def any_record(raw: bytes) -> dict[str, Any] | None:
    """The object in a line, where the quick parser finds one."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict else None


def exact_record(raw: bytes) -> dict[str, Any] | None:
    """The object in a line, where the quick parser gives exactly what the careful one would."""
    value = any_record(raw)
    for field in value.values() if value else ():
        kind = type(field)
        if kind is str:
            continue
        if kind is float:
            if not _EXACT_LOW < field < _EXACT_HIGH:
                return None  # an integer that did not fit, perhaps
        elif (kind is dict or kind is list) and not _is_exact(field):
            return None
    return value


def _is_exact(value: Any) -> bool:
    try:
        return _EXPONENT.search(orjson.dumps(value)) is None
    except TypeError:  # nested deeper than it writes
        return False


def parse_line(raw: bytes, number: int = 1, offset: int = 0, text: str | None = "text") -> Line:
    """One line as a text record; never raises."""

    def bad(error_class: str, why: str) -> Line:
        message = f"line {number}: {why}"[:300]
        return Line(number, offset, len(raw), error_class=error_class, message=message)

    try:
        decoded = raw.decode("utf-8-sig")
        integer = int if text is not None else _int64
        value = json.loads(decoded, parse_constant=lambda _: None, parse_int=integer)
        if "\\ud" in decoded or "\\uD" in decoded:
            value = _well_formed(value)
    except UnicodeDecodeError as error:
        return bad("invalid_utf8", f"not UTF-8 at byte {error.start}: {error.reason}")
    except RecursionError:
        return bad("not_json", "nested too deeply")
    except ValueError as error:
        return bad("not_json", str(error))
    if not isinstance(value, dict):
        return bad("not_an_object", f"a JSON {type(value).__name__}, not an object")
    if text is not None and not isinstance(value.get(text), str):
        return bad("missing_text", f"no string field `{text}`")
    return Line(number, offset, len(raw), value)


def _int64(digits: str) -> int | float:
    """An integer as the quick parser gives it; `ValueError` for one that no float can hold."""
    value = int(digits)
    if -(1 << 63) <= value < 1 << 64:
        return value
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"an integer of {len(digits)} digits") from None


def well_formed(text: str) -> str:
    """The text with lone surrogates, which JSON can spell and UTF-8 cannot, replaced."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_well_formed(one) for one in value]
    if isinstance(value, dict):
        return {well_formed(key): _well_formed(one) for key, one in value.items()}
    return value


def json_text(value: Any) -> str:
    """Compact JSON of anything that a record can hold: a table's dates and bytes as strings.

    Raises `ValueError` for what is nested too deeply to be written.
    """
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:  # integers beyond 64 bits, keys that are no strings, deep nesting
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return well_formed(text)
