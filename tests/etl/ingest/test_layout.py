"""Which files of a data set's folder are its data."""

from __future__ import annotations

import time
from typing import Any

import pytest

from etl.ingest.card import Card
from etl.ingest.layout import DATA, NOT_DATA, UNLISTED, glob_matches, selection
from schemas.errors import InputError

_CONFIGS: list[dict[str, Any]] = [
    {"config_name": "en", "data_files": [{"split": "train", "path": "data/en/train-*"},
                                         {"split": "test", "path": ["data/en/test-*", "more/*"]}]},
    {"config_name": "de", "data_files": "data/de/*.parquet"},
    {"config_name": "fr", "data_files": {"train": "t.jsonl", "test": ["u.jsonl"]},
     "data_dir": "fr"},
    {"config_name": "it", "data_dir": "it"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("data/*.parquet", "data/a.parquet", True),
        ("data/*.parquet", "data/x/a.parquet", False),
        ("data/**", "data/x/y/a.parquet", True),
        ("**/*.parquet", "a.parquet", True),
        ("**/*.parquet", "x/y/a.parquet", True),
        ("**/train/*", "x/train/a", True),
        ("./a-?.jsonl", "a-1.jsonl", True),
        ("a-[12].jsonl", "a-3.jsonl", False),
        ("a", "a/b", False),
        ("a/b", "a", False),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert glob_matches(glob, path.split("/")) is matches


def test_no_glob_takes_long() -> None:
    started = time.perf_counter()
    assert not glob_matches("*a" * 200 + "b", ["a" * 5000])
    assert not glob_matches("/".join(["**"] * 100) + "/x", ["a"] * 300)
    assert time.perf_counter() - started < 2


def test_configurations_and_splits() -> None:
    card = Card(configs=_CONFIGS)
    english = selection(card, "en", "")
    kinds = {
        name: english.kind(name)
        for name in ("data/en/train-00000-of-00010.parquet", "data/en/test-0.parquet", "more/a",
                     "data/de/a.parquet", "stray.jsonl", "README.md", "data/LICENSE.txt",
                     "dataset_infos.json", "load.py")
    }  # fmt: skip
    assert list(kinds.values()) == [DATA, DATA, DATA, UNLISTED, UNLISTED, *[NOT_DATA] * 4]
    train = selection(card, "en", "train")
    assert (train.kind("data/en/train-0"), train.kind("data/en/test-0")) == (DATA, UNLISTED)
    assert selection(card, "de", "").kind("data/de/b.parquet") == DATA
    french = selection(card, "fr", "test")
    assert (french.kind("fr/u.jsonl"), french.kind("fr/t.jsonl")) == (DATA, UNLISTED)
    assert selection(card, "it", "").kind("it/deep/a.jsonl") == DATA


def test_the_default_configuration() -> None:
    with pytest.raises(InputError, match=r"has 4 configurations; .*--config: de, en, fr, it"):
        selection(Card(configs=_CONFIGS), "", "")
    marked = [*_CONFIGS, {"config_name": "x", "default": True, "data_files": "x/*"}]
    assert selection(Card(configs=marked), "", "").kind("x/a") == DATA
    assert selection(Card(configs=_CONFIGS[1:2]), "", "").kind("data/de/a.parquet") == DATA


def test_without_a_list_names_decide() -> None:
    names = ["data/train-00000-of-00010.parquet", "train.jsonl", "en/validation/0.jsonl.zst",
             "en/dev.jsonl", "constraint.jsonl"]  # fmt: skip
    assert [selection(Card(), "", "").kind(name) for name in names] == [DATA] * 5
    train = selection(Card(), "", "train")
    assert [train.kind(n) for n in names] == [DATA, DATA, UNLISTED, UNLISTED, UNLISTED]
    validation = selection(Card(), "en", "validation")
    assert [validation.kind(n) for n in names] == [UNLISTED, UNLISTED, DATA, DATA, UNLISTED]


@pytest.mark.parametrize(
    ("configs", "said"),
    [
        ({"a": 1}, "no list of configurations"),
        ([1], "no list of configurations"),
        ([{"data_files": 5}], "is no path"),
        ([{"data_files": [{"split": "a", "path": ["../../etc/passwd"]}]}], "lies elsewhere"),
        ([{"data_files": "/etc/*"}], "lies elsewhere"),
        ([{"data_files": "https://example.org/a"}], "lies elsewhere"),
        ([{"data_files": "x" * 600}], "is no path"),
        ([{"data_files": ["a"] * 30_000}], "more than 20000 paths"),
    ],
)
def test_lists_that_make_no_sense(configs: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        selection(Card(configs=configs), "", "")


def test_what_is_not_there_is_listed() -> None:
    with pytest.raises(InputError, match=r"no configuration 'xx'; choose one of: de, en"):
        selection(Card(configs=_CONFIGS), "xx", "")
    with pytest.raises(InputError, match=r"no split 'dev'; choose one of: test, train"):
        selection(Card(configs=_CONFIGS), "en", "dev")
