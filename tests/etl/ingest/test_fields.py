"""Dotted paths and the types that fields are carried as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.ingest.fields import CASTS, FieldError, carried, carried_column, getter, timestamp


@pytest.mark.parametrize(
    ("path", "record", "value"),
    [
        ("a", {"a": 1}, 1),
        ("a", {}, None),
        ("a.b", {"a": {"b": 1}}, 1),
        ("a.b", {"a": {"b": 1}, "a.b": 2}, 2),
        ("a.b", {"a": [{"b": 1}]}, None),
        ("a.b.c", {"a": {"b": None}}, None),
    ],
)
def test_paths(path: str, record: dict[str, Any], value: Any) -> None:
    assert getter(path)(record) == value


def test_types_widen_and_never_lose() -> None:
    assert carried(5.0, CASTS["long"], "n", "long") == 5
    assert carried(5, CASTS["double"], "n", "double") == 5.0
    assert carried(True, CASTS["string"], "n", "string") == "true"
    assert carried({"a": [1]}, CASTS["json"], "n", "json") == '{"a":[1]}'
    assert carried(None, CASTS["long"], "n", "long") is None
    for value, kind in [
        (5.5, "long"),
        ("5", "long"),
        (float("nan"), "long"),
        ("x", "double"),
        (float("inf"), "long"),
    ]:
        with pytest.raises(FieldError, match="field `n` is"):
            carried(value, CASTS[kind], "n", kind)
        with pytest.raises((TypeError, ValueError, OverflowError)):
            carried_column([None, value], CASTS[kind], kind)


def test_an_instant_of_a_table_keeps_its_zone() -> None:
    assert timestamp(datetime(2024, 1, 1)) == datetime(2024, 1, 1, tzinfo=UTC)
    assert timestamp(float("nan")) is None
