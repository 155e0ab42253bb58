"""The sensor that sees new files in the landing folder."""

import json

import dagster as dg

from orchestration.jobs import LANDING
from orchestration.partitions import SNAPSHOTS
from orchestration.resources import StoreResource


@dg.sensor(
    job=LANDING,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New files in HOME/landing become a snapshot and go through the landing job.",
)
def landing_files(context: dg.SensorEvaluationContext, foundry: StoreResource) -> dg.SensorResult:
    """The cursor holds the key (name, size, time) of each file that was already asked for."""
    from orchestration.landing import landed_files, record_batch

    folder = foundry.settings().landing
    seen = set(json.loads(context.cursor or "[]"))
    present = landed_files(folder)
    new = [file for file in present if file.key not in seen]
    if not new:
        return dg.SensorResult(skip_reason=f"nothing new in {folder}")
    snapshot = record_batch(folder, new)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=snapshot, partition_key=snapshot)],
        dynamic_partitions_requests=[SNAPSHOTS.build_add_request([snapshot])],
        # Only what is still there: the cursor grows with the folder, not with its history.
        cursor=json.dumps([file.key for file in present]),
    )


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


SENSORS = (landing_files, interrupted_runs)
