"""The code location: everything Dagster knows about Token Foundry, merged here and only here."""

from __future__ import annotations

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by `foundry ui`, `dagster dev`, the demo and the tests. Reads the profile, no data."""
    from orchestration.assets import build_assets
    from orchestration.checks import build_checks
    from orchestration.jobs import JOBS, source_jobs
    from orchestration.profile import load_profile, profile_file
    from orchestration.progress import progress_logger
    from orchestration.resources import StoreResource
    from orchestration.schedules import crawl_schedule, source_schedules
    from orchestration.sensors import build_sensors
    from orchestration.sources.config import load_sources

    profile = load_profile()
    sources = load_sources(profile)
    jobs = source_jobs(sources)
    return dg.Definitions(
        assets=build_assets(sources),
        asset_checks=build_checks(sources),
        jobs=[*JOBS, *jobs.values()],
        schedules=[crawl_schedule(profile), *source_schedules(sources, jobs, profile)],
        sensors=build_sensors(sources, jobs),
        resources={"foundry": StoreResource(profile=str(profile_file()))},
        # One process, one Spark: a JVM a step would cost more than most steps.
        executor=dg.in_process_executor,
        loggers={"console": dg.colored_console_logger, "progress": progress_logger},
    )
