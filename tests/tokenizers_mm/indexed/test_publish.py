from __future__ import annotations

import pytest

from schemas.errors import StepError
from schemas.manifest import ShardEntry
from tokenizers_mm.indexed.publish import Part, Staging, dataset_files, leftovers


def part(shard, documents=1):
    entry = ShardEntry(name="p", documents=documents, tokens=documents, sha256={})
    return Part(
        shard=shard, part=f"part{shard}", entry=entry, bytes_in=0, rejected={}, quarantined=0
    )


def test_only_the_datasets_own_files_are_its_files(tmp_path):
    own = ["t.bin", "t.idx", "t.docs.parquet", "t.dropped.parquet", "t-00000.bin", "t-100000.idx"]
    others = ["t.valid.bin", "t-00000-00000.bin", "t2.bin", "t-1.bin", "t.manifest.json", "xt.bin"]
    for name in own + others:
        (tmp_path / name).touch()
    assert [path.name for path in dataset_files(tmp_path / "t")] == sorted(own)
    assert dataset_files(tmp_path / "absent" / "t") == []


def test_names_with_wildcards_are_taken_literally(tmp_path):
    (tmp_path / ".t1.staging-0").mkdir()
    (tmp_path / ".t[1].staging-0").mkdir()
    assert leftovers(tmp_path / "t[1]") == [tmp_path / ".t[1].staging-0"]


def test_the_staging_folder_goes_however_the_block_ends(tmp_path):
    with Staging(tmp_path / "t") as staging:
        folder = staging.folder
        (folder / "half").touch()
    assert not folder.exists()
    with pytest.raises(FileNotFoundError), Staging(tmp_path / "t") as staging:
        (staging.folder / "absent" / "half").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_shard_from_two_tasks_is_refused(tmp_path):
    with Staging(tmp_path / "t") as staging, pytest.raises(StepError, match="two tasks"):
        staging.assemble([part(1), part(1)], "uint16", single=False)


def test_shards_without_documents_leave_no_gap(tmp_path):
    parts = [part(4), part(0), part(2, documents=0)]
    with Staging(tmp_path / "t") as staging:
        for one in parts:
            for suffix in (".bin", ".idx", ".docs.parquet"):
                (staging.folder / (one.part + suffix)).write_text(one.part)
        entries = staging.assemble(parts, "uint16", single=False)
        assert [entry.name for entry in entries] == ["t-00000", "t-00001"]
        assert (staging.folder / "t-00001.bin").read_text() == "part4"
