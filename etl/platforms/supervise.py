"""Watches over the worker: an item that hangs or kills it is given up, the run goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.crawl.journal import Journal, read_journal
from etl.platforms.order import FATAL_STATUS, Order, task_of
from etl.platforms.row import Outcome, Task, empty_row
from schemas.errors import StepError

_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR", "PYTHONDONTWRITEBYTECODE")


def supervise(order: Order, path: Path, timeout: float) -> None:
    """Runs workers until one has visited everything. Raises `StepError` when none can go on.

    `timeout` is the time of one visit in seconds. Each worker that ends early has an item to
    blame, which is quarantined; so there are at most as many workers as items.
    """
    while True:
        order.write(path)
        current, status, said = _run(path, timeout)
        if status == 0:
            return
        if status == FATAL_STATUS or current is None:
            raise StepError(f"platforms: {said or f'worker ended with {status}'}; run it again")
        _give_up(order, current, status, timeout, said)
        order = dataclasses.replace(order, restarted=True)


def _run(path: Path, timeout: float) -> tuple[Task | None, int | None, str]:
    """One worker: the task that it was at, its exit status (None: timed out), its last words."""
    log = path.with_suffix(".log")
    with log.open("wb") as errors, _started(path, errors) as process:
        current = _follow(process, timeout)
        if isinstance(current, TimedOut):
            return current.task, None, ""
        status = process.wait()
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return current, status, lines[-1][:500] if lines else ""


@dataclasses.dataclass(frozen=True, slots=True)
class TimedOut:
    """The visit that took too long."""

    task: Task


def _follow(process: subprocess.Popen[bytes], timeout: float) -> Task | TimedOut | None:
    """Reads what the worker says until it ends or hangs; the task that it was at."""
    current: Task | None = None
    deadline, buffer = float("inf"), b""
    assert process.stdout is not None  # noqa: S101 - it was opened with a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 and current is not None:
                return TimedOut(current)
            if not selector.select(None if left == float("inf") else left):
                continue
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return current
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                begun = message.get("begin")
                current = task_of(begun) if begun else None
                deadline = time.monotonic() + timeout if begun else float("inf")
                if current:
                    sys.stderr.write(f"platforms: {current.identity}\n")


@contextlib.contextmanager
def _started(path: Path, errors: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The worker, with no more of our environment than it needs; killed when the block ends."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "HOME": str(path.parent),
        "LANG": "C.UTF-8",
        "YTDLP_NO_PLUGINS": "1",
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "etl.platforms.worker", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        cwd=path.parent,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _give_up(order: Order, task: Task, status: int | None, timeout: float, said: str) -> None:
    if status is None:
        outcome = Outcome(
            verdict="quarantined", error_class="timeout", message=f"took longer than {timeout:g} s"
        )
    else:
        message = f"the worker ended with {status}: {said}"
        outcome = Outcome(verdict="quarantined", error_class="crashed", message=message)
    path = Path(order.journal)
    # It may have ended between its line in the journal and the word to us.
    if any(entry.get("url") == task.identity for entry in read_journal(path)):
        return
    journal = Journal(path)
    row = empty_row(task, order.source, order.config_hash, outcome)
    journal.append({"kind": "fetch", "downloaded": 0, **row})
    journal.close()
