"""The launcher's own parts; whole launches are in tests/training/loop/test_train.py."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from training.launch import local, prepare_run
from training.run_folder import RunFolder


def processes(*programs: str) -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen([sys.executable, "-c", program]) for program in programs]


def run_of(folder: Path, *programs: str) -> local.LocalRun:
    return local.LocalRun(RunFolder(folder), 1, folder / "train.log", processes(*programs))


def test_a_failed_process_takes_the_waiting_ones_with_it(tmp_path: Path) -> None:
    started = time.monotonic()
    run = run_of(tmp_path, "raise SystemExit(3)", "import time; time.sleep(60)")
    assert run.wait().exit_code == 3
    assert time.monotonic() - started < 30


def test_a_process_ended_by_a_signal_is_a_failure(tmp_path: Path) -> None:
    run = run_of(tmp_path, "import time; time.sleep(60)")
    run.processes[0].kill()
    result = run.wait()
    assert result.exit_code == -signal.SIGKILL
    assert not result.interrupted


def test_75_is_an_interruption(tmp_path: Path) -> None:
    assert run_of(tmp_path, "raise SystemExit(75)", "raise SystemExit(75)").wait().interrupted


def test_the_last_line_of_a_log_is_its_cause(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    assert local.last_line(log) == "the log is empty"
    log.write_text("x" * 10_000 + "\nerror: no such shard\n\n")
    assert local.last_line(log) == "error: no such shard"
    assert len(local.log_tail(log)) == 4096


def test_no_process_is_refused_before_an_attempt_is_made(
    tmp_path: Path, blend_path: Path, small: Callable[..., dict[str, Any]]
) -> None:
    folder = prepare_run(tmp_path, "tiny_moe", blend_path, small())
    with pytest.raises(InputError, match="processes"):
        local.start(folder, processes=0)
    assert folder.attempts() == []
