"""A small multilingual corpus and a tokenizer trained on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.identity import derived_id
from schemas.manifest import IndexedDatasetManifest, ShardEntry
from tokenizers_mm.indexed.publish import Staging
from tokenizers_mm.indexed.writer import ShardWriter, with_end_of_document
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


WriteDataset = Callable[..., IndexedDatasetManifest]
END = 99


@pytest.fixture
def write_dataset() -> WriteDataset:
    """Writes a dataset of random ids without Spark: one shard for each count of documents."""

    def write(
        prefix: Path, counts: Sequence[int] = (5, 3), *, seed: int = 0, tokenizer: str = "a" * 64
    ) -> IndexedDatasetManifest:
        rng = np.random.default_rng(seed)
        entries: list[ShardEntry] = []
        with Staging(prefix) as staging:
            for number, count in enumerate(counts):
                lengths = rng.integers(1, 20, count)
                ids = rng.integers(0, END, int(lengths.sum())).astype(np.uint32)
                offsets = np.concatenate([[0], np.cumsum(lengths)])
                same = pa.array(["x"] * count, pa.string())
                rows = dict.fromkeys(("url", "modality", "language", "licence"), same)
                rows["doc_id"] = pa.array([f"{number:04x}{n:028x}" for n in range(count)])
                name = f"{prefix.name}-{number:05d}"
                with ShardWriter(staging.folder / name, "uint16") as writer:
                    writer.append(
                        *with_end_of_document(ids, offsets, END, "uint16"), pa.table(rows)
                    )
                    entries.append(writer.finish())
            manifest = IndexedDatasetManifest(
                modality="text",
                dtype="uint16",
                tokenizer_sha256=tokenizer,
                vocabulary_hash="b" * 16,
                vocabulary_size=100,
                end_of_document=END,
                documents=sum(entry.documents for entry in entries),
                tokens=sum(entry.tokens for entry in entries),
                shards=tuple(entries),
                config_hash="c" * 16,
                code_version="test",
            )
            staging.publish(entries, manifest)
        return manifest

    return write
