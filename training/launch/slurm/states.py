"""Slurm's job states as a cause and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from training.loop.signals import REQUEUE_EXIT_CODE


class State(StrEnum):
    """The states told apart. INTERRUPTED: stopped with a checkpoint, can be submitted again."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    BOOT_FAIL = "BOOT_FAIL"
    UNKNOWN = "UNKNOWN"


_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_WORKING = {"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED", "SUSPENDED", "RESIZING"}
_RETRYABLE = {State.NODE_FAIL, State.PREEMPTED, State.BOOT_FAIL, State.INTERRUPTED}
# slurmstepd and srun say so in the job's log; an OOM in a step leaves the job itself FAILED.
_OOM_WORDS = ("oom-kill event", "oom_kill event", "Out Of Memory", "exceeded memory limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """A job as Slurm sees it, and what a user should read about it.

    `exit_code` is the program's, `signal` the number of the one that ended it (0: none).
    `message` is one line: the cause, and the remedy where there is one.
    """

    state: State
    reason: str = ""
    exit_code: int = 0
    signal: int = 0
    nodes: str = ""
    message: str = ""
    log_tail: str = ""

    @property
    def ended(self) -> bool:
        return self.state not in (State.PENDING, State.RUNNING)

    @property
    def succeeded(self) -> bool:
        return self.state is State.COMPLETED

    @property
    def retryable(self) -> bool:
        """The cluster's fault or a planned stop, not the program's: submitting again goes on."""
        return self.state in _RETRYABLE


def interpret(
    job_state: str, exit_code: str, reason: str, nodes: str, log_tail: str, *, memory: str = ""
) -> JobState:
    """A `JobState` from Slurm's words: `job_state` as printed, `exit_code` as "code:signal"."""
    code, _, number = exit_code.partition(":")
    exit_status, signal = int(code or 0), int(number or 0)
    state = _state(job_state.split()[0] if job_state else "", exit_status, log_tail)
    reason = "" if reason in ("None", "(null)") else reason
    nodes = "" if nodes in ("(null)", "None assigned") else nodes
    message = _message(state, exit_status, signal, reason, nodes, memory)
    if state is State.FAILED and (last := _last_line(log_tail)):
        message = f"{message}; the log ends: {last}"
    return JobState(
        state=state,
        reason=reason,
        exit_code=exit_status,
        signal=signal,
        nodes=nodes,
        message=message,
        log_tail=log_tail,
    )


def _state(word: str, exit_status: int, log_tail: str) -> State:
    if word in _WAITING:
        return State.PENDING
    if word in _WORKING:
        return State.RUNNING
    if word == "DEADLINE":
        return State.TIMEOUT
    if word == "FAILED":
        if exit_status == REQUEUE_EXIT_CODE:
            return State.INTERRUPTED
        if any(said in log_tail for said in _OOM_WORDS):
            return State.OUT_OF_MEMORY
    try:
        return State(word)
    except ValueError:
        return State.UNKNOWN


def _message(
    state: State, exit_status: int, signal: int, reason: str, nodes: str, memory: str
) -> str:
    where = f" on {nodes}" if nodes else ""
    limit = f" (it asked for {memory})" if memory else ""
    how = f"signal {signal}" if signal else f"exit code {exit_status}"
    return {
        State.PENDING: f"waiting in the queue{f' ({reason})' if reason else ''}",
        State.RUNNING: f"running{where}",
        State.COMPLETED: f"completed{where}",
        State.FAILED: f"the program failed with {how}{where}",
        State.INTERRUPTED: f"stopped{where} with a checkpoint; submit again to go on",
        State.OUT_OF_MEMORY: (
            f"out of memory{where}{limit}; raise slurm.memory or lower loop.micro_batch"
        ),
        State.TIMEOUT: (
            f"the time limit was reached{where}; raise slurm.time_limit, or submit again to go on "
            "from the last checkpoint"
        ),
        State.CANCELLED: f"cancelled{where} by a user; submit again to go on",
        State.NODE_FAIL: f"a node failed{where}; submit again to go on from the last checkpoint",
        State.PREEMPTED: f"preempted{where} by another job; submit again to go on",
        State.BOOT_FAIL: f"a node did not boot{where}; submit again",
        State.UNKNOWN: (
            "Slurm knows nothing of the job and it left no exit code; see the attempt's log, then "
            "submit again"
        ),
    }[state]


def _last_line(log_tail: str) -> str:
    noise = ("srun:", "slurmstepd")
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(noise)]
    return (said or lines or [""])[-1]
