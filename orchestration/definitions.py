"""The code location: everything Dagster knows about Token Foundry, merged here and only here."""

from __future__ import annotations

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by `foundry ui`, `dagster dev`, the demo and the tests. Reads the profile, no data."""
    from orchestration.assets import ASSETS
    from orchestration.checks import CHECKS
    from orchestration.jobs import JOBS
    from orchestration.profile import load_profile, profile_file
    from orchestration.progress import progress_logger
    from orchestration.resources import StoreResource
    from orchestration.schedules import crawl_schedule
    from orchestration.sensors import SENSORS

    return dg.Definitions(
        assets=ASSETS,
        asset_checks=CHECKS,
        jobs=JOBS,
        schedules=[crawl_schedule(load_profile())],
        sensors=SENSORS,
        resources={"foundry": StoreResource(profile=str(profile_file()))},
        # One process, one Spark: a JVM a step would cost more than most steps.
        executor=dg.in_process_executor,
        loggers={"console": dg.colored_console_logger, "progress": progress_logger},
    )
