"""Crawl snapshots as partitions.

Partitions are dynamic: a schedule adds one when a crawl is due, the landing sensor one for each
batch of files. They are named by date (`2026-01-01`), so that names order as time does; a batch
that landed is `2026-01-01.landing-3f2a90c1`, later than that day's crawl. The tokenizer and all
that follows are not partitioned: they are made from the corpus as it stands.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping

SNAPSHOTS = dg.DynamicPartitionsDefinition(name="snapshot")
_LANDING = ".landing-"


def landing_snapshot(day: date, digest: str) -> str:
    """The name of a batch of landed files."""
    return f"{day.isoformat()}{_LANDING}{digest}"


def is_landing(snapshot: str) -> bool:
    return _LANDING in snapshot


def snapshot_day(snapshot: str, start: date) -> int:
    """Days from `start` to the snapshot's date: the day of the sample site that it sees.

    A name without a date, or before `start`, is day 0.
    """
    try:
        return max(0, (date.fromisoformat(snapshot[:10]) - start).days)
    except ValueError:
        return 0


def where(partition: str | None) -> Mapping[str, str] | None:
    """The rows of a partition, or (None) of the whole table."""
    return None if partition is None else {"snapshot": partition}
