from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.dedup.components import connected_components, star_components, union_find

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Edges = list[tuple[int, int]]


def reference(edges: Edges) -> dict[int, int]:
    label = {node: node for edge in edges for node in edge}
    for _ in label:
        for left, right in edges:
            label[left] = label[right] = min(label[left], label[right])
    return label


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def number(value: bytes) -> int:
    return int.from_bytes(value, "big")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=40))
@settings(deadline=None)  # the first example loads the compiled code
def test_union_find_labels_each_component_with_its_smallest_key(edges: Edges) -> None:
    batch = pa.RecordBatch.from_pydict(
        {"source": [key(left) for left, _ in edges], "target": [key(right) for _, right in edges]}
    )
    rows = [row for found in union_find(iter([batch])) for row in found.to_pylist()]
    assert {number(row["key"]): number(row["component"]) for row in rows} == reference(edges)
    assert len(rows) == len({node for edge in edges for node in edge})


@pytest.mark.spark
def test_one_task_and_rounds_of_stars_agree(spark: SparkSession, seed: int) -> None:
    draw = random.Random(seed)
    nodes = [draw.getrandbits(120) for _ in range(150)]
    edges = [(draw.choice(nodes[:120]), draw.choice(nodes[:120])) for _ in range(70)]
    edges += list(pairwise(nodes[120:]))  # a path: the slow case for stars
    edges = [(left, right) for left, right in edges if left != right]
    frame = spark.createDataFrame(
        [(key(left), key(right)) for left, right in edges], "source binary, target binary"
    )
    expected = reference(edges)
    one = connected_components(frame, edges_per_task=10_000)
    assert one is not None
    for found in (one, star_components(frame)):
        rows = found.collect()
        labels = {number(bytes(row["key"])): number(bytes(row["component"])) for row in rows}
        assert labels == expected
        assert len(rows) == len(expected)


@pytest.mark.spark
def test_no_pairs_have_no_components(spark: SparkSession) -> None:
    empty = spark.createDataFrame([], "source binary, target binary")
    assert connected_components(empty, edges_per_task=10) is None
