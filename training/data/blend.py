"""Opens what a `BlendManifest` names, and refuses whatever does not fit together.

Token files stay memory-mapped; what is held per shard is Megatron's index (16 bytes a document).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from schemas.errors import InputError
from schemas.identity import sha256_hex
from schemas.manifest import BlendEntry, BlendManifest, IndexedDatasetManifest, ShardEntry

if TYPE_CHECKING:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

_PARTS = ("bin", "idx", "docs.parquet")
_DOCUMENTS_CHECKED = 256  # a tokenizer that appends no end-of-document does so in every document


class Shard:
    """One `.bin/.idx/.docs.parquet` triple, opened on first use."""

    def __init__(self, prefix: Path, entry: ShardEntry, end_of_document: int) -> None:
        self.prefix = prefix
        self.documents = entry.documents
        self.tokens = entry.tokens
        self._end_of_document = end_of_document

    @cached_property
    def indexed(self) -> IndexedDataset:
        """Megatron's reader. Raises `InputError` when it disagrees with the manifest."""
        from megatron.core.datasets.indexed_dataset import IndexedDataset

        dataset = IndexedDataset(str(self.prefix))
        lengths = dataset.index.sequence_lengths
        if len(dataset.document_indices) - 1 != self.documents or len(lengths) != self.documents:
            raise InputError(
                f"{self.prefix}.idx: holds {len(dataset.document_indices) - 1} documents, "
                f"the manifest says {self.documents}; tokenize again"
            )
        if int(lengths.sum(dtype=np.int64)) != self.tokens:
            raise InputError(
                f"{self.prefix}.idx: holds {int(lengths.sum(dtype=np.int64))} tokens, "
                f"the manifest says {self.tokens}; tokenize again"
            )
        checked = min(self.documents, _DOCUMENTS_CHECKED)
        for document in np.linspace(0, self.documents - 1, checked, dtype=np.int64):
            if lengths[document] == 0 or dataset[int(document)][-1] != self._end_of_document:
                raise InputError(
                    f"{self.prefix}.bin: document {document} does not end in the end-of-document "
                    f"token {self._end_of_document}; tokenize again so that it is appended"
                )
        return dataset

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document, int32."""
        return self.indexed.index.sequence_lengths

    @cached_property
    def document_ids(self) -> list[str]:
        """The `doc_id` of each document, from the docs table."""
        table = pq.read_table(f"{self.prefix}.docs.parquet", columns=["doc_id"])
        if table.num_rows != self.documents:
            raise InputError(
                f"{self.prefix}.docs.parquet: holds {table.num_rows} documents, "
                f"the manifest says {self.documents}; tokenize again"
            )
        return table.column("doc_id").to_pylist()

    def tokens_of(self, document: int, offset: int, length: int) -> np.ndarray:
        """`length` tokens of a document from `offset` on, read from the memory map."""
        return self.indexed.get(document, offset=offset, length=length)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One entry of a blend: its shards in order, its weight."""

    prefix: Path
    weight: float
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Blend:
    """An opened blend. `validation` is empty when the manifest holds nothing out."""

    manifest: BlendManifest
    train: tuple[Dataset, ...]
    validation: tuple[Dataset, ...]


def blend_identity(manifest: BlendManifest) -> str:
    """A hash of what the blend holds, the same wherever its files lie."""
    return sha256_hex(
        manifest.model_dump_json(
            exclude={"entries": {"__all__": {"prefix"}}, "validation": {"__all__": {"prefix"}}}
        ).encode()
    )


def open_blend(path: Path) -> Blend:
    """Reads and checks every manifest and that every shard file exists.

    Raises `InputError` naming the file when one is missing, when a dataset's manifest is not the
    one the blend was made from, or when tokenizer or vocabulary differ.
    """
    manifest = BlendManifest.read(path)
    if not manifest.entries:
        raise InputError(f"{path}: names no dataset; write the blend again")
    return Blend(
        manifest=manifest,
        train=tuple(_open(path, manifest, entry) for entry in manifest.entries),
        validation=tuple(_open(path, manifest, entry) for entry in manifest.validation),
    )


def _open(path: Path, blend: BlendManifest, entry: BlendEntry) -> Dataset:
    prefix = path.parent / entry.prefix
    manifest_path = prefix.with_name(prefix.name + ".manifest.json")
    manifest = IndexedDatasetManifest.read(manifest_path)
    found = sha256_hex(manifest_path.read_bytes())
    if found != entry.manifest_sha256:
        raise InputError(
            f"{manifest_path}: changed since the blend was written "
            f"({found[:12]}, not {entry.manifest_sha256[:12]}); write the blend again"
        )
    for name in ("tokenizer_sha256", "vocabulary_hash", "vocabulary_size", "end_of_document"):
        if getattr(manifest, name) != getattr(blend, name):
            raise InputError(
                f"{manifest_path}: {name} is {getattr(manifest, name)}, the blend's is "
                f"{getattr(blend, name)}; tokenize both with one tokenizer"
            )
    return Dataset(
        prefix=prefix,
        weight=entry.weight,
        shards=tuple(_shard(manifest_path, entry, manifest) for entry in manifest.shards),
    )


def _shard(manifest_path: Path, entry: ShardEntry, manifest: IndexedDatasetManifest) -> Shard:
    prefix = manifest_path.parent / entry.name
    for part in _PARTS:
        file = Path(f"{prefix}.{part}")
        if not file.is_file():
            raise InputError(f"{file}: missing although {manifest_path.name} lists it")
    size = Path(f"{prefix}.bin").stat().st_size
    expected = entry.tokens * np.dtype(manifest.dtype).itemsize
    if size != expected:
        raise InputError(
            f"{prefix}.bin: holds {size} bytes, the manifest says {expected}; tokenize again"
        )
    return Shard(prefix, entry, manifest.end_of_document)
