"""The sensors: files that land, partitions of sources that arrive, runs that were killed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.jobs import LANDING
from orchestration.partitions import SNAPSHOTS, source_key, source_partitions
from orchestration.resources import StoreResource
from orchestration.sources.config import FilesSource, Source
from orchestration.sources.documents import has_documents
from orchestration.sources.naming import Origin, in_turn, snapshot_of
from orchestration.sources.waiting import done, known_as, snapshots, waiting

_PARTITION_TAG = "dagster/partition"


def files_sensors(
    sources: Mapping[str, Source], jobs: Mapping[str, Any]
) -> list[dg.SensorDefinition]:
    """One for each enabled source of files."""
    return [
        files_sensor(source, jobs[name])
        for name, source in sources.items()
        if source.enabled and isinstance(source, FilesSource)
    ]


def files_sensor(source: FilesSource, job: Any) -> dg.SensorDefinition:
    """New files become a batch, a partition of the source."""

    @dg.sensor(
        name=f"{source.ident}_files",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"New files in {source.path} become a batch of the source {source.name}.",
    )
    def new_files(context: dg.SensorEvaluationContext, foundry: StoreResource) -> dg.SensorResult:
        """The cursor holds the mark (of name, size, version) of each file already asked for."""
        from orchestration.sources.batches import landed_files, next_batch, record_batch

        profile = foundry.settings()
        # What waits stays out of the cursor: it is new to the next tick, too.
        if reason := waiting(context.instance, source).full(source):
            return dg.SensorResult(skip_reason=reason)
        present = list(landed_files(source, profile.s3))
        seen = frozenset(json.loads(context.cursor or "[]"))
        batch = next_batch(source, present, seen)
        if batch is None:
            return dg.SensorResult(skip_reason=f"nothing new in {source.path}")
        partition = record_batch(profile.source_folder(source.name), batch)
        # Only what is still there: the cursor grows with the folder, not with its history.
        asked = seen | {file.mark for file in batch.files}
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=partition, partition_key=partition)],
            dynamic_partitions_requests=[source_partitions(source).build_add_request([partition])],
            cursor=json.dumps([file.mark for file in present if file.mark in asked]),
        )

    return new_files


def arrivals_sensor(sources: Mapping[str, Source]) -> dg.SensorDefinition:
    """What a source brought becomes a snapshot and goes through the landing job, once."""

    @dg.sensor(
        job=LANDING,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Partitions of sources that have arrived go through the landing job.",
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Without a cursor: what waits is read from the assets, so that nothing can be missed."""
        found = arrived_snapshots(context.instance, sources, datetime.now(UTC))
        if not found:
            return dg.SensorResult(skip_reason="nothing has arrived")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=run_key, partition_key=snapshot)
                for run_key, snapshot in found.items()
            ],
            dynamic_partitions_requests=[SNAPSHOTS.build_add_request(list(found.values()))],
        )

    return arrivals


def arrived_snapshots(
    instance: dg.DagsterInstance, sources: Mapping[str, Source], now: datetime
) -> dict[str, str]:
    """Run key -> snapshot of each partition that has arrived and whose run was not asked for.

    The run key is the partition's own name: whatever the snapshot is called, it runs once.
    """
    known, finished = snapshots(instance), done(instance)
    named = known_as(known)
    arrived = [
        Origin(source.name, partition)
        for source in sources.values()
        if has_documents(source)
        for partition in instance.get_materialized_partitions(source_key(source))
    ]
    arrived = [
        one
        for one in arrived
        if one not in finished and not (one in named and _was_asked_for(instance, named[one]))
    ]
    # Crawls have written their names into their rows: what has to give way comes after them.
    gives_way = {one: _gives_way(one, sources, named, known) for one in arrived}
    found: dict[str, str] = {}
    for one in sorted(arrived, key=lambda each: (gives_way[each], _own(each))):
        snapshot = named.get(one) or _own(one)
        if gives_way[one]:
            snapshot = in_turn(one.source, one.partition, known, now)
        known.append(snapshot)
        found[_own(one)] = snapshot
    return found


def _own(one: Origin) -> str:
    return snapshot_of(one.source, one.partition)


def _gives_way(
    one: Origin, sources: Mapping[str, Source], named: Mapping[Origin, str], known: list[str]
) -> bool:
    """Whether a partition that has no snapshot yet would come before one that was asked for."""
    is_crawl = sources[one.source].kind == "web"
    return one not in named and not is_crawl and _own(one) <= max(known, default="")


def _was_asked_for(instance: dg.DagsterInstance, snapshot: str) -> bool:
    runs = dg.RunsFilter(job_name=LANDING.name, tags={_PARTITION_TAG: snapshot})
    return instance.get_runs_count(runs) > 0


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A run whose process died is reported failed, so that it is started again.",
)
def interrupted_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Dagster's own run launcher cannot see that a run's process was killed."""
    from orchestration.instance import fail_interrupted_runs

    failed = fail_interrupted_runs(context.instance)
    return dg.SkipReason(f"{len(failed)} interrupted runs: {', '.join(failed) or 'none'}")


def build_sensors(
    sources: Mapping[str, Source], jobs: Mapping[str, Any]
) -> list[dg.SensorDefinition]:
    return [*files_sensors(sources, jobs), arrivals_sensor(sources), interrupted_runs]
