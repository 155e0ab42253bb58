"""Revisit times against the pages' true rates of change."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from etl.crawl.config import CrawlConfig
from etl.crawl.revisit import next_visit, priority, snapshot_date

pytestmark = pytest.mark.spark
CONFIG = CrawlConfig(contact="a@example.org", min_revisit_days=1, max_revisit_days=40)
FIRST = date(2026, 1, 1)
COLUMNS = "state string, visits int, changes int, failures int, first_seen string"


def intervals(spark: SparkSession, today: str, rows: list[tuple[Any, ...]]) -> list[int | None]:
    """Days until the next visit of each row of `COLUMNS`."""
    names = [part.split()[0] for part in COLUMNS.split(", ")]
    column = next_visit(today, CONFIG, **{name: F.col(name) for name in names})
    frame = spark.createDataFrame(rows, COLUMNS).select(column.alias("next"))
    found = [row["next"] for row in frame.collect()]
    return [
        (date.fromisoformat(day) - date.fromisoformat(today[:10])).days if day else None
        for day in found
    ]


def test_the_first_intervals_double_and_failures_back_off(spark: SparkSession) -> None:
    rows = [
        ("fetched", 1, 0, 0, "2026-01-01"),  # seen once, today
        ("not_modified", 2, 0, 0, "2025-12-31"),
        ("not_modified", 3, 0, 0, "2025-12-29"),
        ("fetched", 2, 1, 0, "2025-12-31"),
        ("gone", 0, 0, 1, "2025-12-31"),
        ("timeout", 3, 0, 1, "2025-12-01"),
        ("timeout", 3, 0, 4, "2025-12-01"),
        ("timeout", 3, 0, 99, "2025-12-01"),
        ("not_modified", 9, 0, 0, "2020-01-01"),
        ("not_modified", 2, 0, 0, "not-a-date"),
    ]
    assert intervals(spark, "2026-01-01", rows) == [1, 2, 3, 1, 7, 2, 16, 40, 40, 2]
    assert intervals(spark, "a-name", rows[:2]) == [None, None]
    assert snapshot_date("2026-02-30") is None


def test_priority_is_the_chance_of_news(spark: SparkSession) -> None:
    rows = [(0, 0), (1, 0), (10, 9), (10, 0)]
    frame = spark.createDataFrame(rows, "visits int, changes int")
    found = frame.select(priority(F.col("visits"), F.col("changes")).alias("p")).collect()
    assert [row["p"] for row in found] == pytest.approx([1.0, 1 / 3, 10 / 12, 1 / 12])


def test_intervals_follow_the_true_rate(spark: SparkSession, seed: int) -> None:
    """Pages that change every 2, 8 and 30 days on average end up visited accordingly."""
    rng = random.Random(seed)
    periods = [2.0] * 30 + [8.0] * 30 + [30.0] * 30
    first = FIRST.isoformat()
    state = [{"visits": 1, "changes": 0, "due": 1, "last": 0} for _ in periods]
    gaps: list[list[int]] = [[] for _ in periods]
    for day in range(1, 81):
        due = [n for n, page in enumerate(state) if page["due"] == day]
        for n in due:
            page = state[n]
            passed = day - page["last"]
            page["visits"] += 1
            page["changes"] += rng.random() < 1 - 2.718281828 ** (-passed / periods[n])
            page["last"] = day
        rows = [("fetched", state[n]["visits"], state[n]["changes"], 0, first) for n in due]
        today = (FIRST + timedelta(days=day)).isoformat()
        for n, wait in zip(due, intervals(spark, today, rows) if rows else [], strict=True):
            assert wait is not None
            state[n]["due"] = day + wait
            if day > 30:
                gaps[n].append(wait)

    def mean(first_page: int) -> float:
        waits = [gap for page in gaps[first_page : first_page + 30] for gap in page]
        return sum(waits) / len(waits)

    quick, middle, slow = mean(0), mean(30), mean(60)
    assert 1 <= quick < 3
    assert 1.5 * quick < middle
    assert 1.3 * middle < slow
