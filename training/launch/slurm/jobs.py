"""Submitting a run once, following it, cancelling it.

An attempt's `job.json` is written before sbatch is called and again with the job's id after it.
A crash in between leaves a record without an id: the next `submit` asks Slurm for a job with the
attempt's name and comment, adopts it when there is one, and only otherwise submits.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import InputError, StepError
from training.durable import exclusive, write_atomically
from training.launch.local import log_tail
from training.launch.slurm.client import SlurmError, account_job, find_job, run_client, show_job
from training.launch.slurm.script import SlurmConfig, job_comment, job_name, render_sbatch
from training.launch.slurm.states import JobState, State, interpret
from training.run_folder import RunFolder

_RECORD = "job.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """An attempt handed to Slurm. `job_id` is None between the intent and sbatch's answer."""

    run_folder: str
    attempt: int
    name: str
    comment: str
    submitted_at: str
    memory: str
    client_timeout_seconds: float
    job_id: int | None = None

    @property
    def folder(self) -> Path:
        return RunFolder(Path(self.run_folder)).attempt_path(self.attempt)

    @property
    def log(self) -> Path:
        return self.folder / f"slurm-{self.job_id}.log"

    def write(self) -> None:
        write_atomically(self.folder / _RECORD, json.dumps(asdict(self), indent=2) + "\n")


def read_job(folder: RunFolder, attempt: int) -> Job | None:
    """The record of an attempt; None when it was not handed to Slurm."""
    path = folder.attempt_path(attempt) / _RECORD
    try:
        return Job(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a job record ({error}); delete it") from None


def latest_job(folder: RunFolder, config: SlurmConfig) -> Job | None:
    """The job of the newest attempt, looked up in Slurm when its id was lost; None without one."""
    for attempt in reversed(folder.attempts()):
        job = read_job(folder, attempt)
        if job is not None:
            return job if job.job_id is not None else _recover(job, config)
    return None


def submit(folder: RunFolder, config: SlurmConfig, python: str = sys.executable) -> Job:
    """Hand the run to Slurm, or return the job that already has it.

    Two callers at once, or a caller that died on the way, do not submit twice. A run whose last
    job has ended gets a new attempt, which resumes from the last checkpoint. Raises `StepError`
    when Slurm refuses or does not answer, `InputError` when the run is complete.
    """
    key = folder.config().key
    if folder.is_complete:
        raise InputError(f"{folder.path}: complete already; nothing to submit")
    with exclusive(folder.path / ".submit.lock", wait=True):
        last = latest_job(folder, config)
        if last is not None and not poll(last).ended:
            return last
        job = _unsubmitted(folder) or _new_job(folder, key, config)
        script = job.folder / "train.sbatch"
        text = render_sbatch(
            config,
            folder.path,
            job.attempt,
            name=job.name,
            comment=job.comment,
            python=python,
        )
        write_atomically(script, text)
        job.write()
        return _sbatch(job, script, config)


def _new_job(folder: RunFolder, key: str, config: SlurmConfig) -> Job:
    attempt = folder.new_attempt()
    return Job(
        run_folder=str(folder.path),
        attempt=attempt,
        name=job_name(key),
        comment=job_comment(key, attempt, secrets.token_hex(4)),
        submitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        memory=config.memory,
        client_timeout_seconds=config.client_timeout_seconds,
    )


def _unsubmitted(folder: RunFolder) -> Job | None:
    """The newest attempt's record if it has no id and Slurm knows nothing of it: used again."""
    attempt = max(folder.attempts(), default=0)
    job = read_job(folder, attempt) if attempt else None
    return job if job is not None and job.job_id is None else None


def _recover(job: Job, config: SlurmConfig) -> Job | None:
    found = find_job(job.name, job.comment, config.client_timeout_seconds)
    if found is None:
        return None
    recovered = replace(job, job_id=found)
    recovered.write()
    return recovered


def _sbatch(job: Job, script: Path, config: SlurmConfig) -> Job:
    command = ["sbatch", "--parsable", str(script)]
    try:
        answer = run_client(command, config.client_timeout_seconds)
    except SlurmError as error:
        # The controller may have taken the job although its answer did not arrive.
        recovered = None if error.stderr else _recover(job, config)
        if recovered is None:
            raise
        return recovered
    submitted = replace(job, job_id=int(answer.strip().split(";")[0]))
    submitted.write()
    return submitted


def poll(job: Job) -> JobState:
    """What has become of the job.

    Asks the controller, then the accounting database, then the exit code that the script left.
    """
    if job.job_id is None:
        raise InputError(f"{job.folder}: the job has no id; submit it again")
    timeout = job.client_timeout_seconds
    shown = show_job(job.job_id, timeout) or account_job(job.job_id, timeout) or _left_behind(job)
    return interpret(
        shown.get("JobState", ""),
        shown.get("ExitCode", "0:0"),
        shown.get("Reason", ""),
        shown.get("NodeList", ""),
        log_tail(job.log),
        memory=job.memory,
    )


def _left_behind(job: Job) -> dict[str, str]:
    try:
        code = int((job.folder / "exit_code").read_text())
    except (FileNotFoundError, ValueError):
        return {"JobState": State.UNKNOWN}
    return {"JobState": "FAILED" if code else "COMPLETED", "ExitCode": f"{code}:0"}


def cancel(job: Job) -> None:
    """scancel: the program gets SIGTERM, writes a checkpoint if the cluster gives it time."""
    if job.job_id is not None:
        run_client(["scancel", str(job.job_id)], job.client_timeout_seconds)


def wait(job: Job, timeout_seconds: float, interval_seconds: float = 1.0) -> JobState:
    """Poll until the job has ended. Raises `StepError` after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not (state := poll(job)).ended:
        if time.monotonic() > deadline:
            raise StepError(
                f"job {job.job_id}: still {state.state.lower()} after {timeout_seconds:g} s; "
                "it goes on, poll again"
            )
        time.sleep(interval_seconds)
    return state
