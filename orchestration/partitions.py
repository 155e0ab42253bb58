"""Snapshots as partitions, and the partitions of sources.

Both are dynamic: a schedule adds one when a crawl is due, a sensor one for each batch of files and
for each arrival. Their names order as time does (`orchestration.sources.naming`). The tokenizer and
all that follows are not partitioned: they are made from the corpus as it stands.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.sources.config import Source

SNAPSHOTS = dg.DynamicPartitionsDefinition(name="snapshot")


def source_key(source: Source) -> dg.AssetKey:
    """The asset of a source."""
    return dg.AssetKey(["sources", source.ident])


def source_partitions(source: Source) -> dg.DynamicPartitionsDefinition:
    return dg.DynamicPartitionsDefinition(name=f"source_{source.ident}")


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
