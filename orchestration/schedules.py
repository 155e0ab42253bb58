"""The incremental crawl on the cron line of the profile, and the sources on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.jobs import INGEST
from orchestration.partitions import SNAPSHOTS, source_key, source_partitions
from orchestration.sources.commoncrawl import SELECTION, selection_hash
from orchestration.sources.config import CommonCrawlSource, FilesSource, Source
from orchestration.sources.naming import due
from orchestration.sources.waiting import job_name, snapshots, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.profile import Profile


def crawl_schedule(profile: Profile) -> dg.ScheduleDefinition:
    """Adds the partition of the scheduled day and crawls it; the cost is what changed since."""

    @dg.schedule(
        name="incremental_crawl",
        job=INGEST,
        cron_schedule=profile.snapshots.cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def incremental_crawl(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick, known = context.scheduled_execution_time, snapshots(context.instance)
        day = tick.date().isoformat()
        snapshot = day if day in known else due("", tick, False, known)
        context.instance.add_dynamic_partitions(str(SNAPSHOTS.name), [snapshot])
        return dg.RunRequest(run_key=day, partition_key=snapshot)

    return incremental_crawl


def source_schedules(
    sources: Mapping[str, Source], jobs: Mapping[str, Any], profile: Profile
) -> list[dg.ScheduleDefinition]:
    """One for each source that has a cron line and is enabled."""
    return [
        _source_schedule(source, jobs[name], profile)
        for name, source in sources.items()
        if source.enabled and not isinstance(source, FilesSource) and source.cron
    ]


def _source_schedule(source: Any, job: Any, profile: Profile) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=job_name(source),
        job=job,
        cron_schedule=source.cron_schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.cron}, moved by up to {source.jitter_minutes} minutes.",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        instance, time = context.instance, context.scheduled_execution_time
        reason = waiting(instance, source).full(source) or _nothing_new(instance, source, profile)
        if reason:
            return dg.SkipReason(reason)
        partition = due(source.name, time, source.is_frequent, snapshots(instance))
        name = str(source_partitions(source).name)
        instance.add_dynamic_partitions(name, [partition])
        return dg.RunRequest(run_key=f"{source.name}:{time:%Y-%m-%dT%H%M}", partition_key=partition)

    return tick


def _nothing_new(instance: dg.DagsterInstance, source: Source, profile: Profile) -> str:
    """An archive does not change: the same choice brings the same records."""
    if not isinstance(source, CommonCrawlSource):
        return ""
    event = instance.get_latest_materialization_event(source_key(source))
    if event is None or event.asset_materialization is None:
        return ""
    last = event.asset_materialization
    value = last.metadata.get(SELECTION)
    if value is None or value.value != selection_hash(source, profile):
        return ""
    return f"{source.name}: partition {last.partition} holds this selection; change it for more"
