"""Names of snapshots: read back, and always later than what was there."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.sources.naming import (
    Origin,
    due,
    ends_like_a_batch,
    in_turn,
    origin,
    snapshot_of,
)
from schemas.errors import InputError
from schemas.tables import SNAPSHOT

NOW = datetime(2026, 1, 5, 9, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "partition", "snapshot"),
    [
        ("cc-german", "2026-01-02", "2026-01-02.cc-german"),
        ("news", "2026-01-02T0630", "2026-01-02T0630.news"),
        ("landing", "2026-01-02-3f2a90c1", "2026-01-02.landing-3f2a90c1"),
    ],
)
def test_a_snapshot_says_what_it_was_made_from(source: str, partition: str, snapshot: str) -> None:
    assert snapshot_of(source, partition) == snapshot
    assert origin(snapshot) == Origin(source, partition)
    late = in_turn(source, partition, ["2026-01-05"], NOW)
    assert late.startswith("2026-01-05T0931.")
    assert origin(late) == Origin(source, partition)
    assert re.fullmatch(SNAPSHOT.pattern, late)


@pytest.mark.parametrize(
    "snapshot", ["2026-01-02", "2026-01-02T0300", "first", "2026-01-02T093000Z.1", "x.y"]
)
def test_the_profiles_own_crawl(snapshot: str) -> None:
    assert origin(snapshot) is None


def test_no_partition() -> None:
    with pytest.raises(InputError, match=r"no partition of a source; add one named by a date"):
        snapshot_of("news", "../2026-01-02")


def test_in_its_turn_it_keeps_its_name() -> None:
    assert in_turn("b", "2026-01-05", ["2026-01-05", "2026-01-05.a"], NOW) == "2026-01-05.b"


def test_a_day_later_than_any_time_of_the_day_before() -> None:
    assert "2026-01-05T2359.zz.2026-01-02" < "2026-01-06" < "2026-01-06.aa" < "2026-01-06T0001.aa"


def test_whatever_arrives_whenever_the_names_ascend(seed: int) -> None:
    rng = random.Random(seed)
    known: list[str] = []
    now = NOW
    for _ in range(300):
        now += timedelta(seconds=rng.choice((0, 20, 4_000)))
        day = (now - timedelta(days=rng.choice((0, 0, 1, 900)))).date().isoformat()
        if rng.random() < 0.3:
            name = due("", now, False, known)
        elif rng.random() < 0.5:
            partition = due("web", now, rng.random() < 0.5, known)
            name = snapshot_of("web", partition)
        else:
            source = rng.choice(("aa", "zz", "landing"))
            digest = f"-{rng.randrange(1 << 32):08x}" if source == "landing" else ""
            name = in_turn(source, day + digest, known, now)
            assert origin(name) == Origin(source, day + digest)
        assert name > max(known, default=""), (name, known[-3:])
        known.append(name)


def test_a_tick_is_named_by_its_day_where_it_can_be() -> None:
    tick = datetime(2026, 1, 5, 3, 7, tzinfo=UTC)
    assert due("news", tick, False, []) == "2026-01-05"
    assert due("news", tick, True, []) == "2026-01-05T0307"
    assert due("news", tick, False, ["2026-01-05.zz"]) == "2026-01-05T0307"
    assert due("", tick, False, ["2026-01-05.landing-3f2a90c1"]) == "2026-01-05T0307"
    assert due("", tick, False, ["2026-02-01T1000.x"]) == "2026-02-01T1001"


def test_names_that_look_like_a_batch() -> None:
    assert ends_like_a_batch("a-3f2a90c1")
    assert not ends_like_a_batch("cc-german")
