from __future__ import annotations

import json

import pytest

from schemas.errors import InputError
from schemas.manifest import TokenizerManifest
from schemas.vocabulary import VLA_SPECIAL_TOKENS
from tokenizers_mm.text.config import TokenizerConfig
from tokenizers_mm.text.train import sample_texts, train_on_texts, train_tokenizer
from tokenizers_mm.text.vocabulary import MANIFEST_FILE, TOKENIZER_FILE

_SCHEMA = "doc_id string, text string, url string, language string, licence string"


def test_training_is_deterministic_whatever_the_order(corpus, tmp_path):
    texts = [row[1] for row in corpus]
    config = TokenizerConfig(vocab_size=700)
    train_on_texts(texts, tmp_path / "a", config, sources={"corpus": 3})
    train_on_texts(reversed(texts), tmp_path / "b", config, sources={"corpus": 3})
    for name in (TOKENIZER_FILE, MANIFEST_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifest = TokenizerManifest.read(tmp_path / "a" / MANIFEST_FILE)
    assert manifest.vocabulary.size == 700
    assert manifest.trained_on == {"corpus": 3}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        TOKENIZER_FILE,
        MANIFEST_FILE,
    ]


def test_a_small_corpus_gives_a_smaller_vocabulary_with_every_byte(tmp_path):
    manifest = train_on_texts(["ab"], tmp_path, TokenizerConfig(vocab_size=5000, min_frequency=1))
    assert manifest.vocabulary.size == 256 + 1 + len(VLA_SPECIAL_TOKENS)


def test_adopting_adds_only_the_missing_specials_behind_the_last_id(tokenizer_folder, tmp_path):
    parsed = json.loads((tokenizer_folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    parsed["added_tokens"] = parsed["added_tokens"][:3]  # as Qwen's: some of them, not all
    last = parsed["added_tokens"][-1]["id"]
    path = tmp_path / "qwen.json"
    path.write_text(json.dumps(parsed), encoding="utf-8")

    manifest = train_tokenizer(None, tmp_path / "out", TokenizerConfig(path=str(path)))
    specials = manifest.vocabulary.specials
    assert set(specials) == set(VLA_SPECIAL_TOKENS)
    assert [specials[token] for token in VLA_SPECIAL_TOKENS[3:]] == list(
        range(last + 1, last + 1 + len(VLA_SPECIAL_TOKENS) - 3)
    )
    written = json.loads((tmp_path / "out" / TOKENIZER_FILE).read_text(encoding="utf-8"))
    assert written["model"] == parsed["model"]

    as_it_is = TokenizerConfig(path=str(path), add_special_tokens=False)
    train_tokenizer(None, tmp_path / "same", as_it_is)
    assert (tmp_path / "same" / TOKENIZER_FILE).read_bytes() == path.read_bytes()


def test_without_a_corpus_and_a_path_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.path"):
        train_tokenizer(None, tmp_path, TokenizerConfig())


@pytest.mark.spark
def test_the_sample_does_not_depend_on_the_partitioning(spark, corpus):
    frame = spark.createDataFrame(corpus, _SCHEMA)
    config = TokenizerConfig(sample_bytes=20_000, sample_document_characters=150)
    one = list(sample_texts(frame.coalesce(1), config))
    seven = list(sample_texts(frame.repartition(7), config))
    assert one == seven
    size = sum(len(text.encode()) for text in one)
    assert 10_000 < size < 20_600  # about the budget, never more than one document over it
    assert max(len(text) for text in one) <= 150
    other = list(sample_texts(frame, TokenizerConfig(sample_bytes=20_000, seed=1)))
    assert other != one


@pytest.mark.spark
def test_training_on_a_frame(spark, corpus, tmp_path):
    frame = spark.createDataFrame(corpus, _SCHEMA)
    config = TokenizerConfig(vocab_size=600)
    first = train_tokenizer(frame, tmp_path / "a", config)
    again = train_tokenizer(frame.repartition(5), tmp_path / "b", config)
    whole = train_on_texts((row[1] for row in corpus), tmp_path / "c", config)
    assert first == again == whole


@pytest.mark.spark
def test_an_empty_corpus_is_an_error_and_writes_nothing(spark, tmp_path):
    frame = spark.createDataFrame([("a", "", "", "", ""), ("b", None, "", "", "")], _SCHEMA)
    with pytest.raises(InputError, match="no text to train on"):
        train_tokenizer(frame, tmp_path / "out", TokenizerConfig())
    assert not (tmp_path / "out").exists()
