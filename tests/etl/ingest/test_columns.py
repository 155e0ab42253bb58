"""Tuples and rows as record batches."""

from __future__ import annotations

import pyarrow as pa

from etl.ingest.columns import Part, kept_batch, with_verdicts
from schemas.tables import EVIDENCES

_SCHEMA = pa.schema([("id", pa.string()), ("said", EVIDENCES)])
_SAID = [{"kind": "field", "licence": "MIT", "text": "mit", "place": "l", "ignored": None}]


def test_one_object_throughout_is_the_same_as_many() -> None:
    shared = kept_batch(Part(kept=[("a", _SAID), ("b", _SAID)]), _SCHEMA)
    each = kept_batch(Part(kept=[("a", list(_SAID)), ("b", list(_SAID))]), _SCHEMA)
    assert shared is not None
    assert shared.equals(each)
    assert kept_batch(Part(), _SCHEMA) is None


def test_kept_and_unkept_rows_get_their_verdicts() -> None:
    bad = {"id": "c", "_verdict": "quarantined", "_error_class": "not_json", "_message": "m"}
    parts = [Part(kept=[("a", None)], rows=[bad]), Part(), Part(rows=[bad])]
    rows = [row for batch in with_verdicts(parts, _SCHEMA) for row in batch.to_pylist()]
    assert [(row["id"], row["_verdict"], row["_error_class"]) for row in rows] == [
        ("a", "kept", None), ("c", "quarantined", "not_json"), ("c", "quarantined", "not_json")
    ]  # fmt: skip


def test_a_part_is_full_by_bytes_or_rows() -> None:
    assert not Part(kept=[()] * 1999).full(10)
    assert Part(kept=[()] * 1999, rows=[{}]).full(10)
    assert Part(size=10).full(10)
