"""A real Slurm on this machine runs the real training program, and fails in each way there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError, StepError
from training.launch import prepare_run
from training.launch.slurm import (
    Job,
    SlurmConfig,
    State,
    cancel,
    latest_job,
    poll,
    read_job,
    submit,
    wait,
)
from training.launch.slurm.local_cluster import SlurmCluster, can_limit_memory
from training.metrics import read_all
from training.run_folder import RunFolder

pytestmark = pytest.mark.slurm

type_overrides = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, blend_path: Path, small: type_overrides) -> RunFolder:
    return prepare_run(tmp_path, "tiny_moe", blend_path, small())


def program(tmp_path: Path, body: str) -> str:
    """An executable that takes the place of Python in the script."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return str(path)


def job_count(cluster: SlurmCluster, job: Job) -> int:
    listed = cluster.client("squeue", "--noheader", "--states=all", "--format=%k").splitlines()
    return listed.count(job.comment)


def test_training_on_two_nodes_and_no_second_submission(
    cluster: SlurmCluster, folder: RunFolder
) -> None:
    config = SlurmConfig(nodes=2, network_interface="lo")
    job = submit(folder, config)
    assert submit(folder, config) == job
    state = wait(job, 300)
    assert state.state is State.COMPLETED, state
    assert state.nodes == "n[1-2]"
    assert folder.is_complete
    assert len(read_all(folder.metrics_path)) == 4
    assert len(read_all(folder.samples_path(1, 1))) == 4
    assert job_count(cluster, job) == 1
    with pytest.raises(InputError, match="complete already"):
        submit(folder, config)


def test_a_failing_program(cluster: SlurmCluster, folder: RunFolder, tmp_path: Path) -> None:
    job = submit(folder, SlurmConfig(), program(tmp_path, "echo no such shard >&2; exit 7"))
    state = wait(job, 60)
    assert (state.state, state.exit_code, state.retryable) == (State.FAILED, 7, False)
    assert "exit code 7 on n" in state.message
    assert "the log ends: no such shard" in state.message
    again = submit(folder, SlurmConfig(), program(tmp_path, "exit 0"))
    assert (again.attempt, wait(again, 60).state) == (2, State.COMPLETED)
    assert again.log.parent != job.log.parent


def test_out_of_memory(cluster: SlurmCluster, folder: RunFolder, tmp_path: Path) -> None:
    if not can_limit_memory():
        pytest.skip("the memory cgroup of this machine cannot be written: no limit to exceed")
    body = "exec python3 -c 'import time; held = bytearray(400 << 20); time.sleep(20)'"
    job = submit(folder, SlurmConfig(memory="100M"), program(tmp_path, body))
    state = wait(job, 60)
    assert state.state is State.OUT_OF_MEMORY, state
    assert "it asked for 100M" in state.message


def test_cancelling(cluster: SlurmCluster, folder: RunFolder, tmp_path: Path) -> None:
    job = submit(folder, SlurmConfig(), program(tmp_path, "sleep 60"))
    while poll(job).state is State.PENDING:
        time.sleep(0.1)
    cancel(job)
    state = wait(job, 60)
    assert state.state is State.CANCELLED
    assert "submit again" in state.message


def test_a_planned_stop_is_told_apart(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path
) -> None:
    job = submit(folder, SlurmConfig(requeue=False), program(tmp_path, "exit 75"))
    state = wait(job, 60)
    assert (state.state, state.retryable) == (State.INTERRUPTED, True)


def test_a_crash_between_sbatch_and_its_record_is_healed(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, python = SlurmConfig(), program(tmp_path, "sleep 30")
    write = Job.write

    def crash_with_id(job: Job) -> None:
        if job.job_id is not None:
            raise KeyboardInterrupt
        write(job)

    monkeypatch.setattr(Job, "write", crash_with_id)
    with pytest.raises(KeyboardInterrupt):
        submit(folder, config, python)
    monkeypatch.undo()
    record = read_job(folder, 1)
    assert record is not None
    assert record.job_id is None
    found = submit(folder, config, python)
    assert found.job_id is not None
    assert found == latest_job(folder, config) == read_job(folder, 1)
    assert job_count(cluster, found) == 1
    cancel(found)


def test_a_crash_before_sbatch_submits_that_attempt(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> Job:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.launch.slurm.jobs._sbatch", crash)
    with pytest.raises(KeyboardInterrupt):
        submit(folder, SlurmConfig())
    monkeypatch.undo()
    job = submit(folder, SlurmConfig(), program(tmp_path, "exit 0"))
    assert job.attempt == 1
    assert wait(job, 60).succeeded


def test_two_submitters_at_once_submit_one_job(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path
) -> None:
    python = program(tmp_path, "sleep 30")
    jobs: list[Job] = []
    threads = [
        threading.Thread(target=lambda: jobs.append(submit(folder, SlurmConfig(), python)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.job_id for job in jobs}) == 1
    assert job_count(cluster, jobs[0]) == 1
    cancel(jobs[0])


def test_a_job_the_controller_forgot_is_read_from_its_exit_code(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path
) -> None:
    job = submit(folder, SlurmConfig(), program(tmp_path, "exit 3"))
    wait(job, 60)
    forgotten = Job(**{**_fields(job), "job_id": 999_999})
    state = poll(forgotten)
    assert (state.state, state.exit_code) == (State.FAILED, 3)
    (job.folder / "exit_code").unlink()
    assert poll(forgotten).state is State.UNKNOWN


def test_what_sbatch_refuses_is_said(cluster: SlurmCluster, folder: RunFolder) -> None:
    with pytest.raises(StepError, match=r"sbatch: .*(partition|Invalid)"):
        submit(folder, SlurmConfig(partition="nowhere"))


@pytest.mark.drill
def test_the_time_limit(cluster: SlurmCluster, folder: RunFolder, tmp_path: Path) -> None:
    config = SlurmConfig(time_limit="00:01:00", warn_seconds=0)
    state = wait(submit(folder, config, program(tmp_path, "sleep 300")), 120)
    assert state.state is State.TIMEOUT
    assert "raise slurm.time_limit" in state.message


@pytest.mark.drill
def test_a_dead_controller_does_not_hang_and_loses_nothing(
    cluster: SlurmCluster, folder: RunFolder, tmp_path: Path
) -> None:
    config = SlurmConfig(client_timeout_seconds=3)
    job = submit(folder, config, program(tmp_path, "sleep 15"))
    time.sleep(8)  # slurmctld saves its state every few seconds; kill -9 loses what is newer
    cluster.kill("slurmctld")
    with pytest.raises(StepError, match="scontrol"):
        poll(job)
    cluster.restart_controller()
    assert wait(job, 60).succeeded


@pytest.mark.drill
def test_a_dead_node(cluster: SlurmCluster, folder: RunFolder, tmp_path: Path) -> None:
    started = tmp_path / "started"
    body = f"touch {started}; sleep 300"
    job = submit(folder, SlurmConfig(requeue=False), program(tmp_path, body))
    while not started.exists():
        time.sleep(0.1)
    cluster.kill(poll(job).nodes)
    state = wait(job, 90)
    assert (state.state, state.retryable) == (State.NODE_FAIL, True)


def _fields(job: Job) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(job)
