"""Output folders: whole or absent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.cli.output import MARKER, quiet_descriptors, require_input, size_of, staged
from schemas.errors import InputError


def test_the_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with staged(str(out)) as staging:
        Path(staging, "a").write_text("1")
        assert not out.exists()
    assert sorted(p.name for p in out.iterdir()) == [MARKER, "a"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_earlier_output(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with staged(str(out)) as staging:
        Path(staging, "a").write_text("1")

    def fail() -> None:
        with staged(str(out)) as staging:
            Path(staging, "a").write_text("2")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert (out / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_rerun_replaces_and_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / ".out.staging").mkdir()
    (tmp_path / ".out.staging" / "half").write_text("half")
    with staged(str(out)) as staging:
        Path(staging, "a").write_text("1")
    with staged(str(out)) as staging:
        Path(staging, "b").write_text("2")
    assert sorted(p.name for p in out.iterdir()) == [MARKER, "b"]


def test_a_stranger_s_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(InputError, match="name another folder"), staged(str(tmp_path)):
        pass
    with pytest.raises(InputError, match="is a file"), staged(str(tmp_path / "precious")):
        pass
    assert (tmp_path / "precious").read_text() == "x"


def test_inputs(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    require_input(str(tmp_path / "f"))
    assert size_of(str(tmp_path)) == 5
    with pytest.raises(InputError, match="no such file"):
        require_input(str(tmp_path / "absent"))


def test_a_child_started_quietly_writes_to_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    with quiet_descriptors(log):
        subprocess.run([sys.executable, "-c", "print('noise')"], check=True)
    os.write(2, b"after\n")
    captured = capfd.readouterr()
    assert "noise" in log.read_text()
    assert "noise" not in captured.out + captured.err
    assert "after" in captured.err
