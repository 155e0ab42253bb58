"""The Dagster instance of a profile: where runs, events and schedules are remembered."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dagster import DagsterInstance

    from orchestration.profile import Profile

PROCESS_TAG = "foundry/process"
_CONFIGURATION = """\
# Written by foundry when absent; edit it freely (https://docs.dagster.io/deployment/oss).
telemetry:
  enabled: false
nux:
  enabled: false
# One run at a time: a laptop has room for one Spark.
concurrency:
  runs:
    max_concurrent_runs: 1
# A run whose process died is started again from where it stopped (sensor interrupted_runs);
# a step that failed is not: it would fail again.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
freshness:
  enabled: true
"""


def dagster_home(profile: Profile) -> Path:
    """The folder of the instance, created with its dagster.yaml when it is not there."""
    home = profile.home_path / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(_CONFIGURATION)
    return home


def open_instance(profile: Profile) -> DagsterInstance:
    """The persistent instance that `foundry demo` records in and `foundry ui` shows."""
    from dagster import DagsterInstance

    return DagsterInstance.from_config(str(dagster_home(profile)))


def process_identity(pid: int) -> str | None:
    """`HOST:PID@START` (epoch seconds) of a live process of this machine; None when it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{socket.gethostname()}:{pid}@{process.create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


def _is_alive(identity: str) -> bool:
    """False for a process of this machine that is gone; another machine's is not ours to judge."""
    host, _, rest = identity.rpartition(":")
    pid, _, started = rest.partition("@")
    if host != socket.gethostname():
        return True
    now = process_identity(int(pid))
    # A start time is derived from the boot time, which a clock correction moves a little.
    return now is not None and abs(float(now.rpartition("@")[2]) - float(started)) <= 2


def fail_interrupted_runs(instance: DagsterInstance) -> list[str]:
    """Reports runs as failed whose process (see `PROCESS_TAG`) is gone; returns their ids."""
    from dagster import DagsterRunStatus, RunsFilter

    failed = []
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        identity = run.tags.get(PROCESS_TAG)
        if identity is None or _is_alive(identity):
            continue
        instance.report_run_failed(run, f"the process of the run ({identity}) was killed")
        failed.append(run.run_id)
    return failed
