"""The console script: what it accepts, how it fails, what it prints."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.cli import main as cli
from orchestration.cli.main import build_parser, describe, main
from schemas.errors import InputError, StepError

VERBS = (
    "doctor", "demo", "ui", "crawl", "commoncrawl", "platforms", "ingest", "extract", "filter",
    "scrub", "dedup", "tokenize", "train", "verify", "bench",
)  # fmt: skip


def test_the_verbs_are_these() -> None:
    assert build_parser().format_help()
    for verb in VERBS:
        with pytest.raises(SystemExit) as done:
            main([verb, "--help"])
        assert done.value.code == 0


@pytest.mark.parametrize(
    "argv", [[], ["whatif"], ["filter"], ["filter", "a", "b", "--profile", "x"]]
)
def test_bad_usage_is_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(argv)
    assert done.value.code == 2
    assert "usage: foundry" in capsys.readouterr().err


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from orchestration.cli.main import build_parser;"
        "build_parser().format_help();"
        "print([m for m in ('pyspark', 'torch', 'dagster', 'pydantic', 'numpy', 'pyarrow')"
        " if m in sys.modules])"
    )
    started = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.process_time() - started < 1


def _missing(tmp_path: Path) -> dict[str, list[str]]:
    absent, out = str(tmp_path / "absent"), str(tmp_path / "out")
    return {
        "ingest": ["ingest", absent, out],
        "extract": ["extract", absent, out],
        "filter": ["filter", absent, out],
        "scrub": ["scrub", absent, out],
        "dedup": ["dedup", absent, out],
        "tokenize": ["tokenize", absent, out, "--tokenizer", absent],
        "verify": ["verify", absent],
        "crawl": ["crawl", "--seeds", absent, out],
        "commoncrawl": ["commoncrawl", out, "--paths", absent],
        "bench": ["bench", "absent"],
    }


@pytest.mark.parametrize("verb", sorted(_missing(Path())))
def test_a_missing_input_is_one_line_and_nothing_is_written(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_missing(tmp_path)[verb]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("foundry: error: ")]
    assert len(lines) == 1
    assert "absent" in lines[0]
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_profile_is_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "x"}\n')
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", "nowhere")
    assert main(["filter", str(tmp_path / "in.jsonl"), str(tmp_path / "out")]) == 2
    assert "unknown profile 'nowhere'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_errors_are_one_line() -> None:
    assert describe(InputError("a: b;\n c")) == "a: b; c"
    assert "run the same command again" in describe(OSError(errno.ENOSPC, "x"))
    wrapped = StepError("job failed")
    wrapped.__cause__ = RuntimeError("java.io.IOException: No space left on device")
    assert "no space left" in describe(wrapped)
    assert "\n" not in describe(RuntimeError("first\nsecond"))
    assert describe(PermissionError(errno.EACCES, "denied", "/x")) == "/x: Permission denied"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("i"), 2),
        (StepError("s"), 1),
        (RuntimeError("r"), 1),
        (OSError(errno.ENOSPC, "full"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_statuses(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(args: object) -> None:
        raise error

    monkeypatch.setattr(cli.doctor, "run", fail)
    assert main(["doctor"]) == status
    assert capsys.readouterr().err.count("\n") == 1
