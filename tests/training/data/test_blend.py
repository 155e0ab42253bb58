from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import InputError
from schemas.manifest import BlendManifest
from training.data import open_blend
from training.data.blend import blend_identity


def test_shards_are_read_through_megatron_and_lead_to_document_ids(maker: Any) -> None:
    documents = maker.counted([5, 9, 3])
    maker.dataset("text", [documents[:2], documents[2:]])
    (dataset,) = open_blend(maker.blend({"text": 1.0})).train
    first, second = dataset.shards
    assert np.array_equal(first.tokens_of(1, 0, 9), documents[1])
    assert np.array_equal(second.tokens_of(0, 1, 2), documents[2][1:])
    assert len(set(first.document_ids + second.document_ids)) == 3


def test_prefixes_are_relative_to_the_blend_file(
    maker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    maker.dataset("text", [maker.counted([5])])
    blend = maker.blend({"text": 1.0})
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert open_blend(blend).train[0].shards[0].tokens == 5


@pytest.mark.parametrize("part", ["bin", "idx", "docs.parquet"])
def test_a_missing_shard_file_is_named(maker: Any, part: str) -> None:
    maker.dataset("text", [maker.counted([5])])
    blend = maker.blend({"text": 1.0})
    (maker.folder / f"text-00000.{part}").unlink()
    with pytest.raises(InputError, match=rf"text-00000\.{part}: missing"):
        open_blend(blend)


def test_a_changed_dataset_manifest_is_refused(maker: Any) -> None:
    maker.dataset("text", [maker.counted([5])])
    blend = maker.blend({"text": 1.0})
    path = maker.folder / "text.manifest.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match="changed since the blend was written"):
        open_blend(blend)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokenizer_sha256", "f" * 64),
        ("vocabulary_hash", "f" * 16),
        ("vocabulary_size", 300),
        ("end_of_document", 1),
    ],
)
def test_a_dataset_of_another_tokenizer_is_refused(maker: Any, name: str, value: object) -> None:
    maker.dataset("text", [maker.counted([5])])
    maker.dataset("other", [maker.counted([5])], **{name: value})
    with pytest.raises(InputError, match=rf"other\.manifest\.json: {name}"):
        open_blend(maker.blend({"text": 0.5, "other": 0.5}))


def test_a_truncated_bin_is_refused(maker: Any) -> None:
    maker.dataset("text", [maker.counted([5])])
    blend = maker.blend({"text": 1.0})
    path = maker.folder / "text-00000.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match=r"text-00000\.bin: holds 8 bytes, the manifest says 10"):
        open_blend(blend)


def test_documents_without_an_end_are_refused(maker: Any) -> None:
    documents = maker.counted([5, 5])
    maker.dataset("text", [[documents[0], documents[1][:-1]]])
    (dataset,) = open_blend(maker.blend({"text": 1.0})).train
    with pytest.raises(InputError, match="document 1 does not end in the end-of-document"):
        _ = dataset.shards[0].lengths


def test_a_missing_blend_and_a_nonsense_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"blend\.json: no such manifest"):
        open_blend(tmp_path / "blend.json")
    (tmp_path / "blend.json").write_text(json.dumps({"entries": []}))
    with pytest.raises(InputError, match="tokenizer_sha256"):
        open_blend(tmp_path / "blend.json")


def test_a_blend_keeps_its_identity_when_its_files_move(maker: Any) -> None:
    maker.dataset("text", [maker.counted([5])])
    blend = BlendManifest.read(maker.blend({"text": 1.0}))
    (entry,) = blend.entries
    moved = blend.model_copy(update={"entries": (entry.model_copy(update={"prefix": "/x/text"}),)})
    other = blend.model_copy(
        update={"entries": (entry.model_copy(update={"manifest_sha256": "f" * 64}),)}
    )
    assert blend_identity(moved) == blend_identity(blend) != blend_identity(other)
