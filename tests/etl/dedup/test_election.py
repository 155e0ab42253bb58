from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa

from etl.dedup.config import DedupConfig
from etl.dedup.election import elect_members

LAYOUT = DedupConfig(permutations=10, threshold=0.7, bands=5, rows=2).layout()
BASE = np.arange(10, dtype=np.uint32)


def changed(signature: Any, *places: int) -> Any:
    other = signature.copy()
    other[list(places)] += 1000
    return other


def members(rows: list[dict[str, Any]]) -> pa.Table:
    filled = [
        {
            "component": b"c",
            "exact": row["signature"].tobytes()[:16] + row["id"].encode(),
            "active": True,
            "quality": 1.0,
            "snapshot": "s1",
        }
        | row
        | {"signature": row["signature"].tobytes()}
        for row in rows
    ]
    return pa.Table.from_pylist(filled)


def clusters(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str, float, str]]:
    found = elect_members(members(rows), LAYOUT).to_pylist()
    return {
        row["id"]: (row["survivor"], row["cluster_id"], row["similarity"], row["method"])
        for row in found
    }


def test_a_chain_does_not_merge_its_unlike_ends() -> None:
    middle = changed(BASE, 0, 1)  # 0.8 to the first
    end = changed(middle, 2, 3)  # 0.8 to the middle, 0.6 to the first
    rows = [
        {"id": "a", "signature": BASE, "quality": 3.0},
        {"id": "b", "signature": middle, "quality": 2.0},
        {"id": "c", "signature": end, "quality": 1.0},
    ]
    assert clusters(rows) == {"a": ("a", "a", 1.0, "exact"), "b": ("a", "a", 0.8, "near")}


def test_members_unlike_the_survivor_elect_their_own() -> None:
    far = changed(BASE, 0, 1, 2, 3)
    rows = [
        {"id": "a", "signature": BASE, "quality": 3.0},
        {"id": "c", "signature": far, "quality": 1.0},
        {"id": "b", "signature": changed(far, 4), "quality": 2.0},
    ]
    assert clusters(rows) == {"b": ("b", "b", 1.0, "exact"), "c": ("b", "b", 0.9, "near")}


def test_preference_published_then_quality_then_snapshot_then_id() -> None:
    order = [
        {"id": "z", "active": False, "quality": 0.0, "snapshot": "s9"},
        {"id": "y", "quality": 2.0, "snapshot": "s9"},
        {"id": "x", "quality": 1.0, "snapshot": "s1"},
        {"id": "v", "quality": 1.0, "snapshot": "s2"},
        {"id": "w", "quality": 1.0, "snapshot": "s2"},
    ]
    rows = [{"signature": BASE, "exact": b"same", **row} for row in order]
    for first in range(4):
        rest = rows[first:]
        random.Random(first).shuffle(rest)
        found = clusters(rest)
        assert {survivor for survivor, *_ in found.values()} == {order[first]["id"]}
        assert {smallest for _, smallest, *_ in found.values()} == {min(row["id"] for row in rest)}


def test_published_documents_are_never_merged() -> None:
    rows = [
        {"id": "a", "signature": BASE, "active": False},
        {"id": "b", "signature": BASE, "active": False},
        {"id": "n", "signature": changed(BASE, 0)},
    ]
    assert clusters(rows) == {"a": ("a", "a", 1.0, "exact"), "n": ("a", "a", 0.9, "near")}


def test_an_exact_copy_goes_to_its_twin_before_a_more_preferred_likeness() -> None:
    twin = changed(BASE, 0)
    rows = [
        {"id": "a", "signature": BASE, "active": False, "quality": 9.0},
        {"id": "b", "signature": twin, "active": False, "exact": b"twin"},
        {"id": "n", "signature": twin, "exact": b"twin"},
    ]
    assert clusters(rows)["n"] == ("b", "b", 1.0, "exact")


def test_components_are_apart() -> None:
    rows = [
        {"id": name, "signature": BASE, "exact": name.encode(), "component": component}
        for name, component in (("a", b"1"), ("b", b"2"), ("c", b"1"), ("d", b"2"))
    ]
    found = clusters(rows)
    assert {name: survivor for name, (survivor, *_) in found.items()} == {
        "a": "a",
        "c": "a",
        "b": "b",
        "d": "b",
    }
