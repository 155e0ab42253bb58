"""Cron lines moved by minutes that a name decides."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestration.sources.cron import check, is_frequent, moved, offset


def test_a_hundred_sources_do_not_start_together() -> None:
    found = Counter(offset(f"source-{number}", 119) for number in range(100))
    assert len(found) > 40  # of 120 minutes; by chance about 68
    assert max(found.values()) <= 6
    assert all(0 <= minutes <= 119 for minutes in found)


def test_a_source_keeps_its_minutes() -> None:
    # Written out: it must not change with a restart, a release or another Python.
    assert [offset(name, 60) for name in ("cc-german", "news", "partner")] == [13, 37, 46]
    assert offset("news", 0) == 0


@pytest.mark.parametrize(
    ("cron", "minutes", "lines"),
    [
        ("0 3 * * *", 0, ["0 3 * * *"]),
        ("0 3 * * *", 75, ["15 4 * * *"]),
        ("30 23 * * *", 45, ["15 0 * * *"]),  # any day: the night goes on
        ("0,30 1-3 * * *", 40, ["40 1,2,3 * * *", "10 2,3,4 * * *"]),
        ("*/15 * * * 1", 7, ["7 * * * 1", "22 * * * 1", "37 * * * 1", "52 * * * 1"]),
        ("0 8-18/5 1 */2 *", 30, ["30 8,13,18 1 */2 *"]),
    ],
)
def test_moved(cron: str, minutes: int, lines: list[str]) -> None:
    assert moved(cron, minutes) == lines
    assert moved(cron, 0)


def test_dagster_takes_what_comes_out() -> None:
    import dagster as dg

    @dg.job
    def nothing() -> None:
        pass

    for cron in ("0 3 * * *", "*/20 2-4 * * *", "5 6 1,15 * *", "59 23 * * *"):
        dg.ScheduleDefinition(name="x", job=nothing, cron_schedule=moved(cron, 19))


@pytest.mark.parametrize(
    ("cron", "jitter", "message"),
    [
        ("0 3 * *", 0, "has 4 fields"),
        ("0 25 * * *", 0, r"hour '25' is not within 0 to 23"),
        ("0 3 * * mon", 0, r"weekday 'mon' is not understood"),
        ("5-1 3 * * *", 0, "minute '5-1'"),
        ("*/0 3 * * *", 0, r"minute '\*/0'"),
        ("٣ 3 * * *", 0, "minute"),
        ("30 23 * * 6", 60, "passes midnight"),
        ("*/15 * * * *", 15, "fires every 15 minutes"),
        ("0 1,2 * * *", 60, "fires every 60 minutes"),
    ],
)
def test_a_bad_line_is_named(cron: str, jitter: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(cron, jitter)


def test_more_often_than_daily() -> None:
    assert is_frequent("0 */6 * * *")
    assert is_frequent("0,30 3 * * *")
    assert not is_frequent("0 3 * * *")
    assert not is_frequent("0 3 * * 1")
