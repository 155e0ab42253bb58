from __future__ import annotations

import json

import pytest

from schemas.errors import InputError
from schemas.vocabulary import END_OF_DOCUMENT, VLA_SPECIAL_TOKENS
from tokenizers_mm.text.vocabulary import (
    MANIFEST_FILE,
    TOKENIZER_FILE,
    describe_tokenizer,
    read_tokenizer_json,
    read_tokenizer_manifest,
    vocabulary_of,
)


def _parsed(text_ids, special_ids):
    return {
        "model": {"type": "BPE", "vocab": {f"t{i}": i for i in text_ids}, "merges": []},
        "added_tokens": [{"id": i, "content": f"<{i}>", "special": True} for i in special_ids],
    }


def test_ranges_cover_every_id_and_name_the_holes():
    found = vocabulary_of(_parsed([0, 1, 2, 5, 9], [3, 4, 8]))
    ranges = [(r.name, r.start, r.size) for r in found.ranges]
    assert ranges == [
        ("text", 0, 3), ("specials", 3, 2), ("text.1", 5, 1), ("unused", 6, 2),
        ("specials.1", 8, 1), ("text.2", 9, 1),
    ]  # fmt: skip
    assert found.size == 10
    assert found.specials == {"<3>": 3, "<4>": 4, "<8>": 8}


def test_a_special_token_that_is_also_in_the_model_counts_as_special():
    parsed = _parsed([0, 1, 2], [])
    parsed["added_tokens"] = [{"id": 0, "content": "t0", "special": True}]
    assert [r.name for r in vocabulary_of(parsed).ranges] == ["specials", "text"]


def test_the_trained_tokenizer_has_the_vla_specials_behind_its_text(tokenizer_folder):
    manifest = read_tokenizer_manifest(tokenizer_folder)
    text, specials = manifest.vocabulary.ranges
    assert (text.name, specials.name) == ("text", "specials")
    assert tuple(manifest.vocabulary.specials) == VLA_SPECIAL_TOKENS
    assert specials.size == len(VLA_SPECIAL_TOKENS)
    assert manifest.end_of_document == manifest.vocabulary.specials[END_OF_DOCUMENT]


def test_a_tokenizer_without_manifest_is_described_from_its_file(tokenizer_folder, tmp_path):
    (tmp_path / TOKENIZER_FILE).write_bytes((tokenizer_folder / TOKENIZER_FILE).read_bytes())
    alone = read_tokenizer_manifest(tmp_path / TOKENIZER_FILE)
    beside = read_tokenizer_manifest(tokenizer_folder)
    assert alone.sha256 == beside.sha256
    assert alone.vocabulary.hash == beside.vocabulary.hash


def test_a_manifest_of_another_file_is_refused(tokenizer_folder, tmp_path):
    (tmp_path / TOKENIZER_FILE).write_bytes(
        (tokenizer_folder / TOKENIZER_FILE).read_bytes() + b"\n"
    )
    (tmp_path / MANIFEST_FILE).write_bytes((tokenizer_folder / MANIFEST_FILE).read_bytes())
    with pytest.raises(InputError, match="hash"):
        read_tokenizer_manifest(tmp_path)


def test_a_token_of_the_model_cannot_end_documents(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(_parsed([0, 1], [2])), encoding="utf-8")
    with pytest.raises(InputError, match="set end_of_document to one of its special tokens"):
        describe_tokenizer(path, end_of_document="t1")
    assert describe_tokenizer(path, end_of_document="<2>").end_of_document == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b'{"model": 3}', b'{"model": {"vocab": ["a"]}}', b"[" * 100_000],
)
def test_what_is_no_tokenizer_is_refused_by_name(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        read_tokenizer_json(path)


def test_a_missing_tokenizer_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="absent"):
        read_tokenizer_json(tmp_path / "absent")
