from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import InputError
from schemas.manifest import BlendEntry, BlendManifest, IndexedDatasetManifest, ShardEntry
from schemas.vocabulary import IdRange, Vocabulary

SHARD = ShardEntry(name="p-00000", documents=2, tokens=10, sha256={".bin": "0" * 64})


def dataset(**changes: object) -> IndexedDatasetManifest:
    settings: dict[str, object] = {
        "modality": "text", "dtype": "uint16", "tokenizer_sha256": "t", "vocabulary_hash": "v",
        "vocabulary_size": 100, "end_of_document": 0, "documents": 2, "tokens": 10,
        "shards": (SHARD,), "config_hash": "c", "code_version": "x",
    }  # fmt: skip
    return IndexedDatasetManifest.model_validate(settings | changes)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "p.manifest.json"
    path.write_text(dataset().to_text())
    assert IndexedDatasetManifest.read(path) == dataset()


def test_totals_must_match_the_shards() -> None:
    with pytest.raises(ValidationError, match="tokens is 11 but the shards hold 10"):
        dataset(tokens=11)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such manifest"):
        IndexedDatasetManifest.read(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"modality": 3}')
    with pytest.raises(InputError, match=r"bad\.json: modality"):
        IndexedDatasetManifest.read(tmp_path / "bad.json")


def test_blend_weights_sum_to_one() -> None:
    entry = BlendEntry(prefix="p", weight=0.7, tokens=1, manifest_sha256="x")
    with pytest.raises(ValidationError, match=r"weights sum to 0\.7"):
        BlendManifest(
            entries=(entry,), tokenizer_sha256="t", vocabulary_hash="v",
            vocabulary_size=9, end_of_document=0,
        )  # fmt: skip


def test_vocabulary_has_no_gap() -> None:
    ranges = (IdRange(name="text", start=0, size=5), IdRange(name="audio", start=6, size=2))
    with pytest.raises(ValidationError, match="must start at 5"):
        Vocabulary(ranges=ranges, specials={})


def test_vocabulary_hash_changes_with_a_special() -> None:
    ranges = (IdRange(name="text", start=0, size=5),)
    one, two = (Vocabulary(ranges=ranges, specials={"<x>": i}) for i in (0, 1))
    assert one.size == 5
    assert one.hash != two.hash
