"""A small multilingual corpus and a tokenizer trained on it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from schemas.identity import derived_id
from tokenizers_mm.text.config import TokenizerConfig
from tokenizers_mm.text.train import train_on_texts

_SCRIPTS = {
    "eng": ("abcdefghijklmnopqrstuvwxyz", " "),
    "deu": ("abcdefghijklmnopqrstuvwxyzäöüß", " "),
    "rus": ("абвгдежзийклмнопрстуфхцчшщъыьэюя", " "),
    "cmn_Hans": ("的一是不了人我在有他这中大来上国个到说们", ""),
    "tha": ("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอฮะาิีุู", ""),
}
Document = tuple[str, str, str, str, str]


def make_corpus(seed: int, documents: int) -> list[Document]:
    """(doc_id, text, url, language, licence) rows; a function of the seed."""
    rng = random.Random(seed)
    words = {
        language: ["".join(rng.choices(letters, k=rng.randint(1, 7))) for _ in range(300)]
        for language, (letters, _) in _SCRIPTS.items()
    }
    rows = []
    for number in range(documents):
        language = rng.choice(list(_SCRIPTS))
        joint = _SCRIPTS[language][1]
        lines = [
            joint.join(rng.choices(words[language], k=rng.randint(1, 40))) + rng.choice(".!?,;。")
            for _ in range(rng.randint(1, 5))
        ]
        text = "\n".join(lines) + f" {rng.randint(0, 10**6)}"
        url = f"http://site.example/{number}"
        rows.append((derived_id(url + text), text, url, language, "CC0-1.0"))
    return rows


@pytest.fixture(scope="session")
def corpus(seed: int) -> list[Document]:
    return make_corpus(seed, 300)


@pytest.fixture(scope="session")
def tokenizer_folder(corpus: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_on_texts((row[1] for row in corpus), folder, TokenizerConfig(vocab_size=1000))
    return folder
