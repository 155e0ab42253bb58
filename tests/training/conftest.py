"""Small indexed datasets and blends, written with Megatron's own builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.identity import derived_id, sha256_hex
from schemas.manifest import BlendEntry, BlendManifest, IndexedDatasetManifest, ShardEntry

VOCABULARY = 256
END = 0
TOKENIZER = sha256_hex(b"a tokenizer")

Documents = Sequence[np.ndarray]


def write_dataset(
    prefix: Path, shards: Sequence[Documents], **changes: Any
) -> IndexedDatasetManifest:
    """`PREFIX-NNNNN.{bin,idx,docs.parquet}` and `PREFIX.manifest.json`; `changes` to the latter."""
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    entries = []
    for number, documents in enumerate(shards):
        name = f"{prefix.name}-{number:05d}"
        path = prefix.with_name(name)
        builder = IndexedDatasetBuilder(f"{path}.bin", dtype=np.uint16)
        for document in documents:
            builder.add_document(document, [len(document)])
        builder.finalize(f"{path}.idx")
        ids = [derived_id(f"{name}/{index}") for index in range(len(documents))]
        pq.write_table(pa.table({"doc_id": ids}), f"{path}.docs.parquet")
        parts = ("bin", "idx", "docs.parquet")
        entries.append(
            ShardEntry(
                name=name,
                documents=len(documents),
                tokens=sum(len(document) for document in documents),
                sha256={part: sha256_hex(Path(f"{path}.{part}").read_bytes()) for part in parts},
            )
        )
    values: dict[str, Any] = {
        "modality": "text",
        "dtype": "uint16",
        "tokenizer_sha256": TOKENIZER,
        "vocabulary_hash": "0123456789abcdef",
        "vocabulary_size": VOCABULARY,
        "end_of_document": END,
        "documents": sum(entry.documents for entry in entries),
        "tokens": sum(entry.tokens for entry in entries),
        "shards": tuple(entries),
        "config_hash": "0123456789abcdef",
        "code_version": "test",
    }
    manifest = IndexedDatasetManifest(**(values | changes))
    manifest_path(prefix).write_text(manifest.to_text())
    return manifest


def manifest_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".manifest.json")


def write_blend(
    path: Path, weights: dict[str, float], validation: dict[str, float] | None = None
) -> BlendManifest:
    """A blend of datasets beside `path`, by prefix name."""

    def entries(named: dict[str, float]) -> tuple[BlendEntry, ...]:
        return tuple(
            BlendEntry(
                prefix=name,
                weight=weight,
                tokens=IndexedDatasetManifest.read(manifest_path(path.parent / name)).tokens,
                manifest_sha256=sha256_hex(manifest_path(path.parent / name).read_bytes()),
            )
            for name, weight in named.items()
        )

    blend = BlendManifest(
        entries=entries(weights),
        validation=entries(validation or {}),
        tokenizer_sha256=TOKENIZER,
        vocabulary_hash="0123456789abcdef",
        vocabulary_size=VOCABULARY,
        end_of_document=END,
    )
    path.write_text(blend.to_text())
    return blend


def counted_documents(lengths: Sequence[int], first: int = 0) -> list[np.ndarray]:
    """Documents of consecutive numbers (mod 255, plus 1) that end in the end-of-document token."""
    documents = []
    for length in lengths:
        body = (np.arange(first, first + length - 1) % (VOCABULARY - 1)) + 1
        documents.append(np.append(body, END))
        first += length - 1
    return documents


def markov_documents(seed: int, count: int) -> list[np.ndarray]:
    """Documents of a random Markov chain: each token has four likely successors of its own.

    Its unigram entropy is near ln 255 = 5.5 nats, its conditional entropy near ln 4 = 1.4.
    """
    rng = np.random.default_rng(seed)
    successors = np.random.default_rng(7).integers(1, VOCABULARY, (VOCABULARY, 4))
    documents = []
    for _ in range(count):
        length = int(rng.integers(40, 200))
        choices = rng.integers(0, 4, length)
        tokens = np.empty(length + 1, dtype=np.int64)
        token = int(rng.integers(1, VOCABULARY))
        for place in range(length):
            tokens[place] = token
            token = int(successors[token, choices[place]])
        tokens[length] = END
        documents.append(tokens)
    return documents


class DatasetMaker:
    """Writes datasets and blends below one folder."""

    vocabulary = VOCABULARY
    end = END
    counted = staticmethod(counted_documents)
    markov = staticmethod(markov_documents)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dataset(self, name: str, shards: Sequence[Documents], **changes: Any) -> Path:
        """The prefix of a new dataset."""
        write_dataset(self.folder / name, shards, **changes)
        return self.folder / name

    def blend(self, weights: dict[str, float], validation: dict[str, float] | None = None) -> Path:
        """The path of a new blend file of datasets in the folder."""
        write_blend(self.folder / "blend.json", weights, validation)
        return self.folder / "blend.json"


@pytest.fixture
def maker(tmp_path: Path) -> DatasetMaker:
    return DatasetMaker(tmp_path)


@pytest.fixture(scope="session")
def blend_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Markov dataset in two shards, blended alone, nothing held out by the blend."""
    maker = DatasetMaker(tmp_path_factory.mktemp("blend"))
    maker.dataset("text", [markov_documents(1, 120), markov_documents(2, 80)])
    return maker.blend({"text": 1.0})


@pytest.fixture
def small() -> Callable[..., dict[str, Any]]:
    """Overrides that make a recipe small enough for a test of a few steps, plus the given ones."""

    def overrides(**more: Any) -> dict[str, Any]:
        return SMALL | {name.replace("__", "."): value for name, value in more.items()}

    return overrides


SMALL: dict[str, Any] = {
    "model.layers": 1,
    "model.hidden_size": 32,
    "model.ffn_hidden_size": 64,
    "model.seq_length": 32,
    "loop.steps": 4,
    "loop.global_batch": 4,
    "loop.micro_batch": 2,
    "loop.eval_interval": 0,
    "data.validation_samples": 8,
    "optimizer.warmup_steps": 1,
}
