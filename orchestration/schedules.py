"""The incremental crawl, on the cron line of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from orchestration.jobs import INGEST
from orchestration.partitions import SNAPSHOTS

if TYPE_CHECKING:
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
        snapshot = context.scheduled_execution_time.date().isoformat()
        context.instance.add_dynamic_partitions(str(SNAPSHOTS.name), [snapshot])
        return dg.RunRequest(run_key=snapshot, partition_key=snapshot)

    return incremental_crawl
