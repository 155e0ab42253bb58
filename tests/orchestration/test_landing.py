"""Batches of landed files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from orchestration.landing import batch_files, landed_files, record_batch
from orchestration.partitions import is_landing
from schemas.errors import InputError
from schemas.tables import SNAPSHOT


def _land(folder: Path, name: str, age: float = 60, now: float = 1_800_000_000) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"text": "hello"}\n')
    os.utime(path, (now - age, now - age))
    return path


def test_growing_and_hidden_files_wait(tmp_path: Path) -> None:
    done = _land(tmp_path, "a/done.jsonl")
    _land(tmp_path, "growing.jsonl", age=1)
    _land(tmp_path, ".hidden")
    _land(tmp_path, ".batches/2026-01-01.json")
    assert [file.path for file in landed_files(tmp_path, now=1_800_000_000)] == [done]
    assert landed_files(tmp_path / "absent") == []


def test_a_batch_is_named_by_its_files_and_read_back(tmp_path: Path) -> None:
    _land(tmp_path, "b.jsonl")
    files = landed_files(tmp_path, now=1_800_000_000)
    snapshot = record_batch(tmp_path, files)
    assert record_batch(tmp_path, files) == snapshot
    assert is_landing(snapshot)
    assert re.fullmatch(SNAPSHOT.pattern, snapshot)
    assert batch_files(tmp_path, snapshot) == [str(file.path) for file in files]
    assert snapshot > snapshot[:10]  # later than that day's crawl


def test_a_changed_file_is_a_new_batch(tmp_path: Path) -> None:
    path = _land(tmp_path, "c.jsonl")
    first = record_batch(tmp_path, landed_files(tmp_path, now=1_800_000_000))
    path.write_text("longer now\n")
    os.utime(path, (1_799_999_000, 1_799_999_000))
    assert record_batch(tmp_path, landed_files(tmp_path, now=1_800_000_000)) != first


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    path = _land(tmp_path, "d.jsonl")
    snapshot = record_batch(tmp_path, landed_files(tmp_path, now=1_800_000_000))
    path.unlink()
    with pytest.raises(InputError, match=r"d\.jsonl.*gone"):
        batch_files(tmp_path, snapshot)
    with pytest.raises(InputError, match="no such batch"):
        batch_files(tmp_path, "2026-01-01.landing-00000000")
