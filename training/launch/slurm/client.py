"""Slurm's client programs, each call with a timeout: with a dead controller they hang for ever."""

from __future__ import annotations

import re
import subprocess

from schemas.errors import InputError, StepError

_PAIR = re.compile(r"(\S+?)=(.*?)(?=\s+[A-Za-z][\w/:]*=|\s*$)")


class SlurmError(StepError):
    """A client program failed; `stderr` holds what it said."""

    def __init__(self, message: str, stderr: str = "") -> None:
        super().__init__(message)
        self.stderr = stderr


def run_client(command: list[str], timeout: float) -> str:
    """Standard output of a client program.

    Raises `InputError` when it is not installed, `SlurmError` when it fails or does not answer
    within `timeout` seconds.
    """
    name = command[0]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        raise InputError(
            f"{name}: not installed on this machine; install Slurm's client programs or choose "
            "the local launcher"
        ) from None
    except subprocess.TimeoutExpired:
        raise SlurmError(
            f"{name}: no answer in {timeout:g} s; is slurmctld running? (scontrol ping)"
        ) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        last = said[-1] if said else f"exit status {done.returncode}"
        raise SlurmError(f"{name}: {last}", done.stderr)
    return done.stdout


def parse_pairs(line: str) -> dict[str, str]:
    """`scontrol show ... -o` output: `Name=value` pairs; a value can hold spaces."""
    return {name: value.strip() for name, value in _PAIR.findall(line.strip())}


def show_job(job_id: int, timeout: float) -> dict[str, str] | None:
    """The controller's view of a job; None once it has forgotten it (MinJobAge, 5 minutes)."""
    try:
        line = run_client(["scontrol", "show", "job", "-o", str(job_id)], timeout)
    except SlurmError as error:
        if "Invalid job id" in error.stderr:
            return None
        raise
    return parse_pairs(line.splitlines()[0])


_ACCOUNTED = ("State", "ExitCode", "NodeList")


def account_job(job_id: int, timeout: float) -> dict[str, str] | None:
    """The accounting database's view of a job; None without a database or without the job."""
    command = ["sacct", "-X", "-n", "-P", "-j", str(job_id), f"--format={','.join(_ACCOUNTED)}"]
    try:
        lines = run_client(command, timeout).splitlines()
    except (SlurmError, InputError):
        return None
    if not lines:
        return None
    row = dict(zip(_ACCOUNTED, lines[0].split("|"), strict=True))
    state = row["State"].split()[0]  # "CANCELLED by 0"
    return {"JobState": state, "ExitCode": row["ExitCode"], "NodeList": row["NodeList"]}


def find_job(name: str, comment: str, timeout: float) -> int | None:
    """The newest job of that name and comment, wherever it is in its life; None if there is none.

    Asks the controller first and the accounting database after it.
    """
    queue = ["squeue", "--noheader", "--states=all", f"--name={name}", "--format=%i|%k"]
    found = _matching(run_client(queue, timeout), comment)
    if found is None:
        history = ["sacct", "-X", "-n", "-P", f"--name={name}", "--format=JobIDRaw,Comment"]
        try:
            found = _matching(run_client([*history, "--starttime=now-7days"], timeout), comment)
        except (SlurmError, InputError):
            return None
    return found


def _matching(output: str, comment: str) -> int | None:
    pairs = (line.strip().partition("|") for line in output.splitlines())
    ids = [int(job) for job, _, said in pairs if said == comment and job.isdigit()]
    return max(ids, default=None)
