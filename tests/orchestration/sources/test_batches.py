"""Batches of landed files, in a folder and below an s3:// prefix."""

from __future__ import annotations

import os
import re
import time
import uuid
from pathlib import Path

import pytest

from etl.storage.client import s3_client
from etl.storage.config import S3Config
from orchestration.sources.batches import (
    Landed,
    landed_files,
    next_batch,
    read_batch,
    record_batch,
    verified,
)
from orchestration.sources.config import FilesSource
from orchestration.sources.naming import snapshot_of
from schemas.errors import InputError
from schemas.tables import SNAPSHOT
from tests.s3_server import settings

NOW = 1_800_000_000.0
LOCAL = S3Config()


def _land(folder: Path, name: str, age: float = 60) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"text": "hello"}\n')
    os.utime(path, (NOW - age, NOW - age))
    return path


def _source(path: Path | str, **more: object) -> FilesSource:
    return FilesSource.model_validate({"name": "in", "kind": "files", "path": str(path), **more})


def _present(folder: Path) -> list[Landed]:
    return list(landed_files(_source(folder), LOCAL, now=NOW))


def _recorded(folder: Path, notes: Path, seen: frozenset[str] = frozenset()) -> str:
    batch = next_batch(_source(folder), _present(folder), seen)
    assert batch is not None
    return record_batch(notes, batch)


def test_growing_and_hidden_files_wait(tmp_path: Path) -> None:
    done = _land(tmp_path, "a/done.jsonl")
    _land(tmp_path, "growing.jsonl", age=1)
    _land(tmp_path, ".hidden")
    _land(tmp_path, ".parts/2026-01-01.json")
    assert [file.path for file in _present(tmp_path)] == [str(done)]
    assert _present(tmp_path / "absent") == []


def test_a_batch_is_named_by_its_files_and_read_back(tmp_path: Path) -> None:
    folder, notes = tmp_path / "in", tmp_path / "notes"
    _land(folder, "b.jsonl")
    partition = _recorded(folder, notes)
    assert _recorded(folder, notes) == partition
    snapshot = snapshot_of("in", partition)
    assert re.fullmatch(r"2027-01-15\.in-[0-9a-f]{8}", snapshot)
    assert re.fullmatch(SNAPSHOT.pattern, snapshot)
    assert snapshot > snapshot[:10]  # later than that day's crawl
    assert list(read_batch(notes, partition).files) == _present(folder)


def test_a_changed_file_is_a_new_batch_and_leaves_the_old_one(tmp_path: Path) -> None:
    folder, notes = tmp_path / "in", tmp_path / "notes"
    path, other = _land(folder, "c.jsonl"), _land(folder, "d.jsonl")
    first = _recorded(folder, notes)
    seen = frozenset(file.mark for file in _present(folder))
    path.write_text("longer now\n")
    os.utime(path, (NOW - 1_000, NOW - 1_000))
    second = _recorded(folder, notes, seen)
    assert second != first
    assert [file.path for file in read_batch(notes, second).files] == [str(path)]
    assert read_batch(notes, second).unchanged == 1
    assert verified(read_batch(notes, first), LOCAL) == [str(other)]


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    path = _land(tmp_path / "in", "d.jsonl")
    partition = _recorded(tmp_path / "in", tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"d\.jsonl.*gone"):
        verified(read_batch(tmp_path, partition), LOCAL)
    with pytest.raises(InputError, match="no such batch"):
        read_batch(tmp_path, "2026-01-01-00000000")


def test_many_files_come_in_several_batches(tmp_path: Path) -> None:
    for number in range(5):
        _land(tmp_path, f"{number}.jsonl")
    source, seen, sizes = _source(tmp_path, max_batch_files=2), frozenset[str](), []
    while batch := next_batch(source, _present(tmp_path), seen):
        sizes.append(len(batch.files))
        seen |= {file.mark for file in batch.files}
    assert sizes == [2, 2, 1]


def test_objects_land_like_files(s3_url: str) -> None:
    config, bucket = settings(s3_url), f"land-{uuid.uuid4().hex}"
    client = s3_client(config)
    client.create_bucket(Bucket=bucket)
    for key in ("in/a.jsonl", "in/sub/b.jsonl", "in/.hidden/c", "in/folder/", "other/d"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    source = _source(f"s3://{bucket}/in", quiet_seconds=30)
    assert list(landed_files(source, config)) == []  # written just now: by the server's own clock
    later = time.time() + 60
    found = list(landed_files(source, config, now=later))
    assert [file.path for file in found] == [
        f"s3://{bucket}/in/a.jsonl",
        f"s3://{bucket}/in/sub/b.jsonl",
    ]
    batch = next_batch(source, found, frozenset())
    assert batch is not None
    assert len(verified(batch, config)) == 2
    client.put_object(Bucket=bucket, Key="in/a.jsonl", Body=b"another")
    assert verified(batch, config) == [f"s3://{bucket}/in/sub/b.jsonl"]
    again = next_batch(
        source, list(landed_files(source, config, now=later)), frozenset(f.mark for f in found)
    )
    assert again is not None
    assert [file.path for file in again.files] == [f"s3://{bucket}/in/a.jsonl"]
    client.delete_object(Bucket=bucket, Key="in/sub/b.jsonl")
    with pytest.raises(InputError, match=r"b\.jsonl: landed but is gone"):
        verified(batch, config)
