"""What has arrived and waits for the corpus, from Dagster's own records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.partitions import SNAPSHOTS, source_key
from orchestration.sources.documents import has_documents
from orchestration.sources.naming import Origin, origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.sources.config import Source

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dataclass(frozen=True, slots=True)
class Waiting:
    """`arrived`: partitions that are there and not in the corpus; `active`: runs that fetch."""

    arrived: tuple[str, ...]
    active: int

    def full(self, source: Source) -> str:
        """Why the source must wait, or ""."""
        count = len(self.arrived) + self.active
        if count < source.max_waiting:
            return ""
        return (
            f"{source.name}: {count} snapshots wait ({len(self.arrived)} arrived and not in the "
            f"corpus, {self.active} being fetched), max_waiting is {source.max_waiting}"
        )


def waiting(instance: dg.DagsterInstance, source: Source) -> Waiting:
    """What of a source waits. A partition whose fetch failed does not: nothing came of it."""
    arrived: set[str] = set()
    if has_documents(source):
        arrived = set(instance.get_materialized_partitions(source_key(source)))
        arrived -= {found.partition for found in done(instance) if found.source == source.name}
    runs = dg.RunsFilter(job_name=job_name(source), statuses=_ACTIVE)
    return Waiting(tuple(sorted(arrived)), instance.get_runs_count(runs))


def job_name(source: Source) -> str:
    """The job that materialises one partition of the source."""
    return f"source_{source.ident}"


def snapshots(instance: dg.DagsterInstance) -> list[str]:
    """Every snapshot that was asked for."""
    return list(instance.get_dynamic_partitions(str(SNAPSHOTS.name)))


def done(instance: dg.DagsterInstance) -> set[Origin]:
    """What the corpus holds, of all sources."""
    corpus = instance.get_materialized_partitions(dg.AssetKey("corpus"))
    return {found for found in map(origin, corpus) if found is not None}


def known_as(known: Iterable[str]) -> dict[Origin, str]:
    """Which snapshot a source's partition has become."""
    return {found: name for name in known if (found := origin(name)) is not None}
