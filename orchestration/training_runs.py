"""The training run of the graph: prepared, launched where the profile says, followed, read back.

The run folder is named by the hash of recipe and blend. Asking for the same run again finds it:
a run that is complete is only read back, one that goes on is followed, one that stopped resumes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError, StepError

if TYPE_CHECKING:
    from orchestration.profile import Profile, Training
    from training.launch.slurm import Job, JobState
    from training.run_folder import RunFolder

OnRows = Callable[[list[dict[str, Any]]], None]
_RESUBMISSIONS = 3  # of a job that ended through no fault of the program
_PATIENCE_SECONDS = 600.0  # with a controller that does not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """What a run folder says: the result of the last attempt and the curve of all of them."""

    result: Mapping[str, Any]
    curve: list[dict[str, Any]]

    @property
    def validation_loss(self) -> float | None:
        """Held-out loss at the end, nats a token."""
        return self.result.get("validation_loss")

    @property
    def entropy(self) -> float | None:
        """Unigram entropy of the training tokens, nats a token."""
        return self.result.get("unigram_entropy")


def prepare(profile: Profile, blend: Path, runs: Path, recipe: str | None = None) -> RunFolder:
    """The folder of the profile's run on a blend; created when it is new, written nowhere else."""
    from training.run_folder import prepare_run

    training = profile.training
    return prepare_run(runs, recipe or training.recipe, blend, training.overrides)


def follow(
    folder: RunFolder, profile: Profile, on_rows: OnRows, launcher: str | None = None
) -> None:
    """Trains the run to its end, handing metrics rows to `on_rows` as they are written.

    Raises `StepError` with state, reason, exit code, the end of the log and a remedy.
    """
    training = profile.training
    if (launcher or training.launcher) == "slurm":
        _follow_slurm(folder, training, on_rows)
    else:
        _follow_local(folder, training.processes, on_rows)


def _follow_local(folder: RunFolder, processes: int, on_rows: OnRows) -> None:
    from training.launch.local import launch

    result = launch(folder, processes, on_rows=on_rows)
    if result.interrupted:
        raise StepError(
            f"{folder.path}: training was asked to stop and wrote a checkpoint; "
            "run the same again to resume it"
        )
    if result.exit_code:
        raise StepError(f"{folder.path}: {_why(folder)} (log: {result.log}); run it again")


def _follow_slurm(folder: RunFolder, training: Training, on_rows: OnRows) -> None:
    """Submits (or finds) the job and follows it; one that the cluster failed is submitted again."""
    from training.launch.slurm import submit

    for _ in range(1 + _RESUBMISSIONS):
        if folder.is_complete:
            return
        job = submit(folder, training.slurm)
        state = _watch(folder, job, training.poll_seconds, on_rows)
        if not state.succeeded and not state.retryable:
            break
    if not folder.is_complete:
        raise StepError(
            f"{folder.path.name}: Slurm job {job.job_id} ended as {state.state}: {state.message} "
            f"(reason {state.reason or '-'}, exit code {state.exit_code}, log {job.log})"
        )


def _watch(folder: RunFolder, job: Job, poll_seconds: float, on_rows: OnRows) -> JobState:
    """Hands on metrics until the job ends. Being stopped here leaves the job running."""
    from training.launch.slurm import poll
    from training.launch.slurm.client import SlurmError
    from training.metrics import read_new

    offset = folder.metrics_path.stat().st_size if folder.metrics_path.exists() else 0
    answered = time.monotonic()
    while True:
        state: JobState | None = None
        try:
            state = poll(job)
            answered = time.monotonic()
        except SlurmError:
            # A controller that restarts forgets nothing: the job goes on meanwhile.
            if time.monotonic() - answered > _PATIENCE_SECONDS:
                raise
        rows, offset = read_new(folder.metrics_path, offset)
        if rows:
            on_rows(rows)
        if state is not None and state.ended:
            return state
        time.sleep(poll_seconds)


def _why(folder: RunFolder) -> str:
    return str((folder.result() or {}).get("error") or "training ended without a result")


def outcome_of(folder: RunFolder) -> TrainingOutcome:
    """Raises `InputError` when the run has not ended yet."""
    from training.metrics import curve, read_all

    result = folder.result()
    if result is None:
        raise InputError(f"{folder.path}: has no result yet; materialise training_run first")
    return TrainingOutcome(result=result, curve=curve(read_all(folder.metrics_path)))
