"""The local launcher: the training program on this machine, one process or several over gloo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import InputError, StepError
from training.durable import exclusive
from training.loop.signals import REQUEUE_EXIT_CODE
from training.metrics import read_new
from training.run_folder import RunFolder

_LOG_TAIL_BYTES = 4096
_STOP_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalResult:
    """How a local launch ended. `exit_code` is the first process's that failed, else rank 0's.

    `attached` tells that the run was already being trained by another launcher, and that this one
    only waited for it.
    """

    exit_code: int
    log: Path
    attempt: int
    attached: bool = False

    @property
    def interrupted(self) -> bool:
        """The run was asked to stop and wrote a checkpoint: launch it again to go on."""
        return self.exit_code == REQUEUE_EXIT_CODE


@dataclass(slots=True)
class LocalRun:
    """A started launch. `poll` it, or `wait` for it."""

    folder: RunFolder
    attempt: int
    log: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def poll(self) -> int | None:
        """The exit code once all processes have ended, else None.

        A process that fails takes the others with it: they would wait for it for ever.
        """
        codes = [process.poll() for process in self.processes]
        failed = [code for code in codes if code not in (None, 0, REQUEUE_EXIT_CODE)]
        if failed and None in codes:
            self._end(signal.SIGKILL)
        if None in codes:
            return None
        return failed[0] if failed else codes[0]

    def stop(self) -> None:
        """Ask the run to write a checkpoint and end (exit code 75)."""
        self._end(signal.SIGTERM)

    def wait(self, on_rows: Callable[[list[dict[str, Any]]], None] | None = None) -> LocalResult:
        """Block until the end, handing new metrics rows to `on_rows` as they come."""
        offset = _size(self.folder.metrics_path) if on_rows else 0
        try:
            while True:
                code = self.poll()
                if on_rows:
                    rows, offset = read_new(self.folder.metrics_path, offset)
                    if rows:
                        on_rows(rows)
                if code is not None:
                    return LocalResult(exit_code=code, log=self.log, attempt=self.attempt)
                time.sleep(0.1)
        except BaseException:
            self._abandon()
            raise

    def _end(self, number: signal.Signals) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def _abandon(self) -> None:
        """The caller is interrupted: let the run write its checkpoint, then make sure it ends."""
        self.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self._end(signal.SIGKILL)


def start(folder: RunFolder, processes: int = 1) -> LocalRun:
    """Start the training program in the background as the run's next attempt.

    Raises `InputError` when the run is being trained already.
    """
    if processes < 1:
        raise InputError(f"processes: must be at least 1, not {processes}")
    folder.config()
    with exclusive(folder.lock_path) as free:
        if not free:
            raise InputError(f"{folder.path}: another process is training this run; wait for it")
    attempt = folder.new_attempt()
    log = folder.attempt_path(attempt) / "train.log"
    command = [sys.executable, "-m", "training.run", "--config", str(folder.config_path)]
    command += ["--attempt", str(attempt)]
    run = LocalRun(folder, attempt, log)
    with log.open("ab") as stream:
        for environment in _environments(processes):
            run.processes.append(
                subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
    return run


def launch(
    folder: RunFolder,
    processes: int = 1,
    on_rows: Callable[[list[dict[str, Any]]], None] | None = None,
) -> LocalResult:
    """Train the run to its end; at once when it is complete, attached when it is running already.

    Raises `StepError` with the end of the log when the program fails. Being asked to stop is no
    failure: see `LocalResult.interrupted`.
    """
    attempt = max(folder.attempts(), default=0)
    log = folder.attempt_path(attempt) / "train.log"
    if folder.is_complete:
        return LocalResult(exit_code=0, log=log, attempt=attempt)
    with exclusive(folder.lock_path) as free:
        pass
    result = (
        start(folder, processes).wait(on_rows) if free else _attach(folder, attempt, log, on_rows)
    )
    if result.exit_code not in (0, REQUEUE_EXIT_CODE):
        raise StepError(
            f"{folder.path}: training ended with exit code {result.exit_code}; "
            f"{last_line(result.log)} (log: {result.log})"
        )
    return result


def _attach(
    folder: RunFolder,
    attempt: int,
    log: Path,
    on_rows: Callable[[list[dict[str, Any]]], None] | None,
) -> LocalResult:
    offset = _size(folder.metrics_path)
    free = False
    while not free:
        time.sleep(0.2)
        rows, offset = read_new(folder.metrics_path, offset)
        if rows and on_rows:
            on_rows(rows)
        with exclusive(folder.lock_path) as free:
            pass
    status = (folder.result() or {}).get("status")
    code = {"completed": 0, "interrupted": REQUEUE_EXIT_CODE}.get(str(status), 1)
    return LocalResult(exit_code=code, log=log, attempt=attempt, attached=True)


def last_line(log: Path) -> str:
    """The last line of a log that is not empty: in a failed run the cause, as a rule."""
    lines = [line for line in log_tail(log).splitlines() if line.strip()]
    return lines[-1] if lines else "the log is empty"


def log_tail(log: Path) -> str:
    """The last 4 KiB of a log."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _environments(processes: int) -> list[dict[str, str]]:
    base = os.environ | {"TORCHDYNAMO_DISABLE": "1", "PYTHONUNBUFFERED": "1"}
    if processes == 1:
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
            base.pop(name, None)
        return [base | {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}]
    threads = max(1, (os.cpu_count() or 1) // processes)
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": str(threads),
    }
    return [
        base | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
