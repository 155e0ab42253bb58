"""The sensors: landed files become one run; a run whose process died is reported failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.instance import PROCESS_TAG, fail_interrupted_runs, process_identity
from orchestration.resources import StoreResource
from orchestration.sensors import landing_files


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "profile.yaml"
    path.write_text(f"name: test\nhome: {tmp_path / 'home'}\n")
    return str(path)


def test_new_files_are_asked_for_once(tmp_path: Path, profile: str) -> None:
    folder = tmp_path / "home" / "landing"
    folder.mkdir(parents=True)
    foundry = StoreResource(profile=profile)
    with dg.DagsterInstance.ephemeral() as instance:
        empty = landing_files(dg.build_sensor_context(instance=instance), foundry=foundry)
        assert empty.run_requests is None or not empty.run_requests
        (folder / "a.jsonl").write_text('{"text": "x"}\n')
        os.utime(folder / "a.jsonl", (1_700_000_000, 1_700_000_000))
        first = landing_files(dg.build_sensor_context(instance=instance), foundry=foundry)
        [request] = first.run_requests
        assert request.partition_key.startswith("2023-11-14.landing-")
        assert first.dynamic_partitions_requests
        again = landing_files(
            dg.build_sensor_context(instance=instance, cursor=first.cursor), foundry=foundry
        )
        assert not again.run_requests


def test_only_runs_of_dead_processes_are_failed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = process_identity(process.pid)
        process.communicate(b"\n")
    alive = process_identity(os.getpid())
    assert dead is not None
    assert alive is not None
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {
            name: instance.create_run_for_job(_job, status=dg.DagsterRunStatus.STARTED, tags=tags)
            for name, tags in {
                "dead": {PROCESS_TAG: dead},
                "alive": {PROCESS_TAG: alive},
                "elsewhere": {PROCESS_TAG: "other-host:1@1"},
                "untagged": {},
            }.items()
        }
        assert fail_interrupted_runs(instance) == [runs["dead"].run_id]
        assert fail_interrupted_runs(instance) == []


@dg.op
def _nothing() -> None:
    pass


@dg.job
def _job() -> None:
    _nothing()
