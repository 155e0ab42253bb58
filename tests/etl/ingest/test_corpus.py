"""What a corpus is read with: map, card and files, checked before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.corpus import load_corpus
from schemas.errors import InputError
from tests.etl.ingest.corpora import CARD


def test_without_a_map_there_is_none_and_nothing_else_may_be_set(tmp_path: Path) -> None:
    assert load_corpus(str(tmp_path), IngestConfig()) is None
    for name in ("card", "licence", "citation", "config", "split"):
        with pytest.raises(InputError, match=f"{name} goes with a field map"):
            load_corpus(str(tmp_path), IngestConfig(**{name: "x"}))


def test_the_card_is_found_in_the_folder_or_above(tmp_path: Path) -> None:
    (tmp_path / "data" / "en").mkdir(parents=True)
    (tmp_path / "README.md").write_text(CARD)
    (tmp_path / "data" / "en" / "a.jsonl").write_text("{}")
    for name in (".", "data", "data/en", "data/en/a.jsonl"):
        corpus = load_corpus(str(tmp_path / name), IngestConfig(field_map="c4"))
        assert corpus is not None
        assert (corpus.card.licence, corpus.root) == ("ODC-By-1.0", str(tmp_path))
    elsewhere = tmp_path / "card.md"
    elsewhere.write_text(CARD.replace("odc-by", "mit"))
    config = IngestConfig(field_map="c4", card=str(elsewhere))
    corpus = load_corpus(str(tmp_path / "data"), config)
    assert corpus is not None
    assert (corpus.card.licence, corpus.root) == ("MIT", str(tmp_path / "data"))


def test_a_missing_licence_or_card_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no README\.md beside the data: states no licence"):
        load_corpus(str(tmp_path), IngestConfig(field_map="c4"))
    with pytest.raises(InputError, match="has no citation"):
        load_corpus(str(tmp_path), IngestConfig(field_map="c4", licence="mit"))
    with pytest.raises(InputError, match=r"card nowhere\.md: no such file"):
        load_corpus(str(tmp_path), IngestConfig(field_map="c4", card="nowhere.md"))
    config = IngestConfig(field_map="c4", licence="mit", citation="c")
    corpus = load_corpus(str(tmp_path), config)
    assert corpus is not None
    assert (corpus.card.licence, corpus.card.file) == ("MIT", "")


def test_a_named_file_is_read_whatever_the_card_lists(tmp_path: Path) -> None:
    listed = CARD.replace("---\n##", "configs:\n- data_files: data/*\n---\n##")
    (tmp_path / "README.md").write_text(listed)
    (tmp_path / "a.jsonl").write_text("{}")
    folder = load_corpus(str(tmp_path), IngestConfig(field_map="c4"))
    one = load_corpus(str(tmp_path / "a.jsonl"), IngestConfig(field_map="c4"))
    assert folder is not None
    assert one is not None
    path = str(tmp_path / "a.jsonl")
    assert (folder.kind(path), one.kind(path)) == ("unlisted", "data")
