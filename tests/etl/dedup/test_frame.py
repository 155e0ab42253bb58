from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from etl.dedup.config import DedupConfig
from etl.dedup.frame import dedup_frame
from schemas.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CONFIG = DedupConfig()
pytestmark = pytest.mark.spark


def records(spark: SparkSession, rows: list[tuple[str, str]], tasks: int = 2) -> DataFrame:
    return spark.createDataFrame(rows, "id string, text string").repartition(tasks)


def outcome(
    frame: DataFrame, config: DedupConfig = CONFIG, **options: Any
) -> tuple[set[str], list[tuple[Any, ...]], Any]:
    """(ids kept, cluster rows in order, report)."""
    result = dedup_frame(frame, config, **options)
    kept = [row["id"] for row in result.kept.select("id").collect()]
    clusters = sorted(tuple(row) for row in result.clusters.collect())
    rejected = [row["id"] for row in result.rejected.collect()]
    assert len(kept) == len(set(kept)) == result.report.kept
    assert len(rejected) <= sum(result.report.rejected.values())
    assert not set(kept) & set(rejected)
    return set(kept), clusters, result.report


def test_planted_duplicates_against_brute_force(
    spark: SparkSession,
    texts: Any,
    similarity: Callable[[str, str], float],
    shingles: Callable[[str], frozenset[tuple[str, ...]]],
) -> None:
    planted = texts.planted(300)
    kept, clusters, report = outcome(records(spark, planted.rows))
    text = dict(planted.rows)
    survivor = {row[0]: row[2] for row in clusters}
    assert report.rows_in == len(kept) + sum(report.rejected.values()) == 300

    def together(pair: tuple[str, str]) -> bool:
        return survivor.get(pair[0], pair[0]) == survivor.get(pair[1], pair[1])

    assert all(together(pair) for pair in planted.exact)
    found = [pair for pair in planted.near if together(pair)]
    assert len(found) >= 0.95 * len(planted.near)
    # Hard negatives: pages of one template share half their text and are all kept.
    assert set(planted.templates) <= kept
    # Precision: whatever was dropped is a duplicate of its survivor by the true similarity.
    true = {row[0]: similarity(text[row[0]], text[row[2]]) for row in clusters}
    false = [name for name, value in true.items() if value < CONFIG.layout().threshold - 0.1]
    assert false == []
    estimates = {row[0]: row[3] for row in clusters}
    assert all(abs(estimates[name] - true[name]) < 0.2 for name in true)
    # Recall: hardly a pair that is clearly above the threshold is kept twice.
    sets = {name: shingles(text[name]) for name in kept}
    clear = [
        (one, two)
        for one, two in combinations(sorted(kept), 2)
        if len(sets[one] & sets[two]) >= 0.85 * len(sets[one] | sets[two]) > 0
    ]
    assert clear == []


def test_order_and_parallelism_change_nothing(spark: SparkSession, texts: Any, seed: int) -> None:
    rows = texts.planted(150).rows
    expected = outcome(records(spark, rows, 1))
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "7")
        found = outcome(records(spark, shuffled, 5))
        rounds = outcome(records(spark, shuffled, 3), DedupConfig(edges_per_task=0))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", str(before))
    assert found[:2] == expected[:2]
    assert rounds[:2] == expected[:2]


def test_a_giant_bucket_stays_cheap(spark: SparkSession, texts: Any) -> None:
    same = texts.english(60)
    rows = [(f"{number:05d}", same) for number in range(5000)]
    kept, clusters, report = outcome(records(spark, [*rows, ("x", texts.english(60))]))
    assert kept == {"00000", "x"}
    assert len(clusters) == 5000
    assert {row[1:] for row in clusters} == {("00000", "00000", 1.0, "exact")}
    assert report.rejected == {"dedup.exact": 4999}


def test_empty_and_tiny_texts(spark: SparkSession) -> None:
    rows = [("a", ""), ("b", "  \n"), ("c", "x"), ("d", "X"), ("e", "x."), ("f", "!"), ("g", None)]
    kept, clusters, report = outcome(records(spark, rows))
    assert kept == {"a", "c", "f"}
    assert {row[0]: row[4] for row in clusters if row[0] != row[2]} == {
        "b": "exact",
        "g": "exact",
        "d": "exact",
        "e": "near",
    }
    assert report.rejected == {"dedup.exact": 3, "dedup.near": 1}


def test_quality_chooses_the_survivor(spark: SparkSession, texts: Any) -> None:
    text = texts.english(80)
    rows = [("a", text, 0.1), ("b", text.upper(), 0.9), ("c", text + "\n", None)]
    frame = spark.createDataFrame(rows, "id string, text string, quality double")
    kept, _, _ = outcome(frame.where("id != 'c'"))
    assert kept == {"b"}
    assert outcome(frame)[0] == {"c"}  # without a quality: its length, 80 words


def test_against_records_kept_before(spark: SparkSession, texts: Any) -> None:
    old = texts.english(200)
    base = records(spark, [("old", old), ("same-id", "an earlier text of five words")])
    rows = [("new-copy", old), ("new-near", texts.edited(old, 2)), ("same-id", texts.english(90))]
    kept, clusters, report = outcome(records(spark, rows), against=base)
    assert kept == {"same-id"}
    assert {row[0]: row[2] for row in clusters} == {
        "old": "old",
        "new-copy": "old",
        "new-near": "old",
    }
    assert report.rows_in == 3
    assert report.rejected == {"dedup.exact": 1, "dedup.near": 1}


def test_rows_with_one_id_and_one_text_are_one_document(spark: SparkSession, texts: Any) -> None:
    text = texts.english(50)
    kept, clusters, report = outcome(records(spark, [("a", text), ("a", text), ("b", "else")]))
    assert kept == {"a", "b"}
    assert clusters == []
    assert report.rejected == {"dedup.exact": 1}


def test_one_id_for_two_texts_is_refused(spark: SparkSession) -> None:
    with pytest.raises(InputError, match="id a names 2 different texts"):
        dedup_frame(records(spark, [("a", "one"), ("a", "two")]), CONFIG)


def test_a_missing_column_is_named(spark: SparkSession) -> None:
    with pytest.raises(InputError, match="no column text"):
        dedup_frame(spark.createDataFrame([("a",)], "id string"), CONFIG)


def test_other_columns_and_other_ids_are_carried(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [(1, "a b", "u1"), (2, "A B", "u2")], "n long, text string, u string"
    )
    result = dedup_frame(frame, CONFIG, id_column="n")
    assert [tuple(row) for row in result.kept.select("n", "text", "u").collect()] == [
        (1, "a b", "u1")
    ]
    row = result.rejected.first()
    assert row is not None
    assert (row["rule"], row["score"], row["threshold"], row["survivor"]) == (
        "dedup.exact",
        1.0,
        1.0,
        "1",
    )
