"""Valid rows for any `TableSpec`, and copies that break one rule each."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa

from schemas.spec import Column, TableSpec

_EXAMPLES = {
    "[0-9a-f]{32}": lambda rng: f"{rng.getrandbits(128):032x}",
    "[0-9a-f]{64}": lambda rng: f"{rng.getrandbits(256):064x}",
    "[0-9A-Za-z._-]+": lambda rng: "2026-01-01",
    "[a-z]{3}(_[A-Z][a-z]{3})?": lambda rng: rng.choice(["eng", "cmn_Hans"]),
}


def _value(column: Column, rng: random.Random) -> Any:
    if column.allowed:
        return rng.choice(column.allowed)
    if column.pattern:
        return _EXAMPLES[column.pattern](rng)
    if pa.types.is_string(column.type):
        return f"text {rng.random()}"
    if pa.types.is_integer(column.type):
        return rng.randint(int(column.minimum or 0), int(column.maximum or 500))
    if pa.types.is_floating(column.type):
        return rng.random()
    if pa.types.is_timestamp(column.type):
        return dt.datetime(2026, 1, 1)
    if pa.types.is_binary(column.type):
        return b"bytes"
    return []


def valid_rows(spec: TableSpec, count: int, rng: random.Random) -> list[dict[str, Any]]:
    rows = [{c.name: _value(c, rng) for c in spec.columns} for _ in range(count)]
    for row in rows:
        if "end" in row:
            row["end"] = row["start"] + 1
    return rows


def broken(column: Column, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Copies of `row`, one for each rule of the column, each breaking just that rule."""
    copies = []
    kind = type(row[column.name])
    if column.minimum is not None:
        copies.append(row | {column.name: kind(column.minimum - 1)})
    if column.maximum is not None:
        copies.append(row | {column.name: kind(column.maximum + 1)})
    if column.allowed or column.pattern:
        copies.append(row | {column.name: "!"})
    return copies
