"""Reading an indexed dataset without torch: by shard, by document, by token position."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from schemas.manifest import IndexedDatasetManifest
from tokenizers_mm.indexed.format import (
    BIN,
    DOCS,
    HEADER_BYTES,
    IDX,
    MANIFEST,
    beside,
    read_header,
)


class ShardReader:
    """One shard, memory-mapped. `documents` and `tokens` are counts."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.header = read_header(beside(prefix, IDX))
        self.documents = self.header.sequences
        self.tokens = beside(prefix, BIN).stat().st_size // self.header.dtype.itemsize

    @cached_property
    def ids(self) -> np.ndarray:
        """All tokens of the shard, in its dtype."""
        if not self.tokens:  # an empty file cannot be mapped
            return np.empty(0, dtype=self.header.dtype)
        return np.memmap(beside(self.prefix, BIN), dtype=self.header.dtype, mode="r")

    @cached_property
    def lengths(self) -> np.ndarray:
        return self._index(np.dtype("int32"), HEADER_BYTES, self.documents)

    @cached_property
    def pointers(self) -> np.ndarray:
        """Start of each document in the `.bin`, in bytes."""
        return self._index(np.dtype("int64"), HEADER_BYTES + 4 * self.documents, self.documents)

    @cached_property
    def boundaries(self) -> np.ndarray:
        offset = HEADER_BYTES + 12 * self.documents
        return self._index(np.dtype("int64"), offset, self.header.boundaries)

    def document(self, index: int) -> np.ndarray:
        """The tokens of a document, its end-of-document included."""
        start = int(self.pointers[index]) // self.header.dtype.itemsize
        return self.ids[start : start + int(self.lengths[index])]

    def chunks(self, documents: int = 65_536) -> Iterator[tuple[np.ndarray, np.ndarray, pa.Table]]:
        """(tokens, lengths, rows of the documents table) of at most so many documents."""
        position = first = 0
        with pq.ParquetFile(beside(self.prefix, DOCS)) as table:
            for batch in table.iter_batches(batch_size=documents):
                lengths = self.lengths[first : first + batch.num_rows]
                stop = position + int(lengths.sum(dtype=np.int64))
                yield self.ids[position:stop], lengths, pa.Table.from_batches([batch])
                position, first = stop, first + batch.num_rows

    def _index(self, dtype: np.dtype, offset: int, count: int) -> np.ndarray:
        path = beside(self.prefix, IDX)
        if not count:
            return np.empty(0, dtype=dtype)
        if offset + count * dtype.itemsize > path.stat().st_size:
            raise InputError(f"{path}: shorter than its header says; tokenize again")
        return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=(count,))


def read_manifest(prefix: str | Path) -> IndexedDatasetManifest:
    """PREFIX.manifest.json. Raises `InputError` when this completion marker is missing or bad."""
    return IndexedDatasetManifest.read(beside(Path(prefix), MANIFEST))


def shard_prefixes(prefix: str | Path, manifest: IndexedDatasetManifest) -> list[Path]:
    """Path prefixes of the shards, in `doc_id` order: what Megatron's `IndexedDataset` opens."""
    return [Path(prefix).parent / shard.name for shard in manifest.shards]
