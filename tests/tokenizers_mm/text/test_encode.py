from __future__ import annotations

import json
import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InputError, StepError
from schemas.vocabulary import END_OF_DOCUMENT, VLA_SPECIAL_TOKENS
from tokenizers_mm.text.encode import (
    ENCODERS,
    SELF_CHECK,
    CheckedEncoder,
    Decoder,
    load_encoder,
)
from tokenizers_mm.text.vocabulary import read_tokenizer_json, read_tokenizer_manifest

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture(scope="module")
def manifest(tokenizer_folder):
    return read_tokenizer_manifest(tokenizer_folder)


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request, tokenizer_folder, manifest):
    return load_encoder(str(tokenizer_folder), manifest.sha256, request.param)


@pytest.fixture(scope="module")
def decoder(tokenizer_folder):
    return Decoder(tokenizer_folder)


def _cut(ids, offsets):
    return [ids[a:b] for a, b in pairwise(offsets)]


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXT, max_size=8))
def test_decoding_gives_back_the_text_in_nfc(encoder, decoder, texts):
    documents = _cut(*encoder.encode(pa.array(texts, pa.string())))
    assert len(documents) == len(texts)
    for text, ids in zip(texts, documents, strict=True):
        assert decoder.text(ids) == unicodedata.normalize("NFC", text)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXT, max_size=8))
def test_both_encoders_give_the_same_ids(tokenizer_folder, manifest, texts):
    array = pa.array(texts, pa.string())
    first, second = (
        load_encoder(str(tokenizer_folder), manifest.sha256, name).encode(array)
        for name in ENCODERS
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_special_tokens_in_crawled_text_stay_text(encoder, decoder, manifest):
    texts = [f"before {token} after" for token in VLA_SPECIAL_TOKENS]
    texts += [*VLA_SPECIAL_TOKENS, "".join(VLA_SPECIAL_TOKENS)]
    ids, offsets = encoder.encode(pa.array(texts))
    assert not set(ids.tolist()) & set(manifest.vocabulary.specials.values())
    assert [decoder.text(one) for one in _cut(ids, offsets)] == texts


def test_the_same_text_through_the_plain_tokenizer_would_have_been_an_injection(
    tokenizer_folder, manifest
):
    from tokenizers import Tokenizer

    trusting = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    assert trusting.encode(END_OF_DOCUMENT).ids == [manifest.end_of_document]


def test_ids_are_those_of_a_per_document_loop(encoder, tokenizer_folder, corpus):
    from tokenizers import Tokenizer

    reference = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    texts = [row[1] for row in corpus]
    documents = _cut(*encoder.encode(pa.array(texts)))
    for text, ids in zip(texts, documents, strict=True):
        assert ids.tolist() == reference.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_slices_and_empty_arrays(encoder, kind):
    texts = pa.array(["one", "", "two three", "四"], kind)
    ids, offsets = encoder.encode(texts.slice(1, 2))
    whole, bounds = encoder.encode(texts)
    assert offsets.tolist() == [0, 0, len(ids)]
    np.testing.assert_array_equal(ids, whole[bounds[1] : bounds[3]])
    ids, offsets = encoder.encode(texts.slice(0, 0))
    assert len(ids) == 0
    assert offsets.tolist() == [0]


def test_a_template_and_a_truncation_in_the_file_have_no_effect(tokenizer_folder, tmp_path):
    from tokenizers import Tokenizer, processors

    changed = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    end = changed.token_to_id(END_OF_DOCUMENT)
    changed.post_processor = processors.TemplateProcessing(
        single=f"$A {END_OF_DOCUMENT}", special_tokens=[(END_OF_DOCUMENT, end)]
    )
    changed.enable_truncation(3)
    changed.enable_padding(length=10)
    path = tmp_path / "tokenizer.json"
    changed.save(str(path))
    plain = read_tokenizer_manifest(tokenizer_folder)
    for name in ENCODERS:
        there = load_encoder(str(path), read_tokenizer_manifest(path).sha256, name)
        here = load_encoder(str(tokenizer_folder), plain.sha256, name)
        array = pa.array(SELF_CHECK)
        np.testing.assert_array_equal(there.encode(array)[0], here.encode(array)[0])


def test_gigatoken_says_when_it_cannot_load_a_tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    unknown = "[UNK]"
    word_level = Tokenizer(models.WordLevel(unk_token=unknown))
    word_level.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=[unknown, END_OF_DOCUMENT])
    word_level.train_from_iterator(["a few words"], trainer)
    path = tmp_path / "tokenizer.json"
    word_level.save(str(path))
    sha256 = read_tokenizer_manifest(path).sha256
    with pytest.raises(InputError, match=r"gigatoken cannot load it.*set encoder: tokenizers"):
        load_encoder(str(path), sha256, "gigatoken")
    encoder = load_encoder(str(path), sha256, "tokenizers")
    with pytest.raises(StepError, match="special or unknown id"):
        encoder.encode(pa.array(["word"]))  # becomes [UNK], which is no text


def test_a_disagreement_is_found_and_named(tokenizer_folder):
    _, parsed = read_tokenizer_json(tokenizer_folder)
    encoder = CheckedEncoder(tokenizer_folder / "tokenizer.json", parsed, "gigatoken")
    encoder.check(pa.array(["fine"]))

    class OffByOne:
        def encode(self, texts):
            ids, offsets = CheckedEncoder(
                tokenizer_folder / "tokenizer.json", parsed, "tokenizers"
            ).encode(texts)
            return (ids + 1) % 200, offsets

    encoder._encoder = OffByOne()
    with pytest.raises(StepError, match="different ids for 'wrong one'"):
        encoder.check(pa.array(["wrong one"]))


def test_a_file_that_changed_is_refused(tokenizer_folder):
    with pytest.raises(InputError, match="changed since"):
        load_encoder(str(tokenizer_folder), "0" * 64, "gigatoken")


def test_an_unknown_encoder_is_refused(tokenizer_folder):
    _, parsed = read_tokenizer_json(tokenizer_folder)
    with pytest.raises(InputError, match="'sentencepiece' is unknown"):
        CheckedEncoder(tokenizer_folder, parsed, "sentencepiece")


def test_a_final_end_of_document_is_left_out(decoder, encoder, manifest):
    ids, _ = encoder.encode(pa.array(["text"]))
    ended = np.append(ids, manifest.end_of_document)
    assert decoder.text(ended, end_of_document=manifest.end_of_document) == "text"
    assert decoder.text(ended) == "text" + END_OF_DOCUMENT


def test_special_tokens_of_the_users_own_are_no_text_either(tokenizer_folder, tmp_path):
    """Qwen's `<think>` is added but not 'special': typed on a page it must stay text too."""
    parsed = json.loads((tokenizer_folder / "tokenizer.json").read_text(encoding="utf-8"))
    index = max(token["id"] for token in parsed["added_tokens"]) + 1
    parsed["added_tokens"].append(
        {**parsed["added_tokens"][0], "id": index, "content": "<think>", "special": False}
    )
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(parsed), encoding="utf-8")
    for name in ENCODERS:
        encoder = load_encoder(str(path), read_tokenizer_manifest(path).sha256, name)
        assert index not in encoder.encode(pa.array(["a <think> b"]))[0]
