"""The fields of a record: where they lie, and as what they are carried."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from etl.ingest.fieldmap import ARROW_TYPES
from etl.ingest.jsonl import json_text

_INT64 = 1 << 63
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)


class FieldError(Exception):
    """A record lacks a field or holds another type in it. `error_class` as in the quarantine."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


def is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(type(value) is type(one) and value == one for one in allowed)


def getter(path: str) -> Callable[[dict[str, Any]], Any]:
    """What lies at a dotted path. A key that has the dots in its own name counts first."""
    parts = path.split(".")
    if len(parts) == 1:
        return lambda record: record.get(path)

    def get(record: dict[str, Any]) -> Any:
        if path in record:
            return record[path]
        value: Any = record
        for part in parts:
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return value

    return get


def timestamp(value: Any) -> datetime | None:
    """An instant in UTC of ISO 8601 (also with slashes, or a range, of which the start counts), of
    seconds or milliseconds since 1970; None for anything else."""
    if isinstance(value, str):
        text = value.partition(",")[0].strip()
        try:
            value = datetime.fromisoformat(text.replace("/", "-") if "/" in text[:10] else text)
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < 4e12:  # not NaN either
            return None
        value = datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC)
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None


def timestamps(values: list[Any]) -> pa.Array:
    kind = pa.timestamp("us", tz="UTC")
    if set(map(type, values)) <= {str, type(None)}:
        try:
            array = pa.array(values, pa.string()).cast(kind)
            lowest = compute.min(array).as_py()
            if lowest is None or lowest >= _YEAR_1:
                return array
        except (ValueError, OverflowError):
            pass
    return pa.array([timestamp(value) for value in values], kind)


def carried_column(values: list[Any], cast: Callable[[Any], Any], kind: str) -> pa.Array:
    """The values as one column. Raises `TypeError` or `ValueError` for one of another type."""
    if kind == "json" or not set(map(type, values)) <= _PLAIN[kind]:
        values = [None if value is None else cast(value) for value in values]
    return pa.array(values, ARROW_TYPES[kind])


def shown(value: Any) -> str:
    """A value for a message: its type, and what it is if that is short."""
    kind = type(value).__name__
    return f"{kind} {value!r:.60}" if isinstance(value, str | bool | float) else kind


def carried(value: Any, cast: Callable[[Any], Any], path: str, kind: str) -> Any:
    if value is None:
        return None
    try:
        return cast(value)
    except (TypeError, ValueError, OverflowError):
        raise FieldError("wrong_type", f"field `{path}` is {shown(value)}, not {kind}") from None


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return json_text(value)
    raise TypeError


def _long_of(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    if not -_INT64 <= value < _INT64:
        raise ValueError
    return int(value)


def _double_of(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        return float(value)
    except OverflowError:
        raise ValueError from None


def _boolean_of(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_NONE = type(None)
_PLAIN = {
    "string": {str, _NONE},
    "long": {int, _NONE},
    "double": {float, _NONE},
    "boolean": {bool, _NONE},
}
CASTS: dict[str, Callable[[Any], Any]] = {
    "string": _text_of,
    "long": _long_of,
    "double": _double_of,
    "boolean": _boolean_of,
    "json": json_text,
}
