"""One `.bin/.idx/.docs.parquet` triple, written a batch at a time in constant memory.

The bytes are those of megatron.core's `IndexedDatasetBuilder` with one `add_document` a document;
writing whole batches with numpy instead is what makes it several times faster.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import pyarrow as pa

from schemas.manifest import ShardEntry
from tokenizers_mm.indexed.files import RowGroups
from tokenizers_mm.indexed.format import (
    BIN,
    DOCS,
    DOCS_SCHEMA,
    IDX,
    beside,
    file_sha256,
    pack_header,
)

_CHUNK = 1 << 20  # lengths turned into pointers at a time


def with_end_of_document(
    ids: np.ndarray, offsets: np.ndarray, end_of_document: int, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """Appends the end-of-document id to every document of a batch.

    `ids` holds the batch's tokens, `offsets` (documents + 1) where each document starts. Returns
    the tokens in `dtype` and the lengths (int32), the end-of-document counted.
    """
    documents = len(offsets) - 1
    ends = offsets[1:] - offsets[0] + np.arange(documents)
    tokens = np.empty(offsets[-1] - offsets[0] + documents, dtype=dtype)
    text = np.ones(len(tokens), dtype=bool)
    text[ends] = False
    tokens[text] = ids[offsets[0] : offsets[-1]]
    tokens[ends] = end_of_document
    return tokens, (np.diff(offsets) + 1).astype(np.int32)


class _HashedFile:
    """A file that is hashed while it is written, and flushed to the disk when closed."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes | np.ndarray) -> None:
        view = memoryview(data if isinstance(data, bytes) else data.data)
        if view.nbytes:  # an empty view cannot be cast
            self._stream.write(view.cast("B"))
            self._digest.update(view.cast("B"))

    def close(self) -> str:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        self._stream.close()


class ShardWriter:
    """Writes `prefix.bin`, `prefix.idx` and `prefix.docs.parquet`.

    Use as a context manager and call `finish` at the end; without it the files are unusable and
    stay for the caller to delete (they lie in a staging folder).
    """

    def __init__(self, prefix: Path, dtype: str) -> None:
        self.prefix = prefix
        self.dtype = np.dtype(dtype)
        self.documents = 0
        self.tokens = 0
        self._bin = _HashedFile(beside(prefix, BIN))
        self._docs = RowGroups(beside(prefix, DOCS), DOCS_SCHEMA)
        # Lengths wait on the disk: a shard may hold more documents than fit in memory.
        self._spool = beside(prefix, ".lengths")
        self._lengths: IO[bytes] = self._spool.open("w+b")

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lengths.close()
        self._spool.unlink(missing_ok=True)
        self._bin.abandon()

    def append(self, tokens: np.ndarray, lengths: np.ndarray, rows: pa.Table) -> None:
        """Adds documents.

        `tokens` are those of all of them, end-of-document included; `lengths` (int32) cut them;
        `rows` has the columns doc_id, url, modality, language and licence, one row a document.
        """
        if int(lengths.sum(dtype=np.int64)) != len(tokens) or rows.num_rows != len(lengths):
            raise ValueError(
                f"{len(tokens)} tokens, {len(lengths)} lengths and {rows.num_rows} rows disagree"
            )
        if tokens.dtype != self.dtype or lengths.dtype != np.int32:
            raise TypeError(f"tokens are {tokens.dtype}, lengths {lengths.dtype}")
        ends = np.cumsum(lengths, dtype=np.int64) + self.tokens
        placed = {
            "document": pa.array(np.arange(self.documents, self.documents + len(lengths))),
            "token_offset": pa.array(ends - lengths),
            "length": pa.array(lengths),
        }
        columns = [placed[n] if n in placed else rows.column(n) for n in DOCS_SCHEMA.names]
        self._docs.append(pa.table(columns, names=DOCS_SCHEMA.names).cast(DOCS_SCHEMA))
        self._bin.write(np.ascontiguousarray(tokens))
        self._lengths.write(lengths.tobytes())
        self.documents += len(lengths)
        self.tokens += len(tokens)

    def finish(self) -> ShardEntry:
        """Writes the index and closes the files. The entry's `name` is the prefix's."""
        hashes = {BIN: self._bin.close(), IDX: self._write_index()}
        self._docs.close()
        hashes[DOCS] = file_sha256(beside(self.prefix, DOCS))
        return ShardEntry(
            name=self.prefix.name, documents=self.documents, tokens=self.tokens, sha256=hashes
        )

    def _write_index(self) -> str:
        index = _HashedFile(beside(self.prefix, IDX))
        index.write(pack_header(self.dtype.name, self.documents))
        for lengths in self._spooled():
            index.write(lengths)
        position = 0
        for lengths in self._spooled():
            ends = np.cumsum(lengths, dtype=np.int64) * self.dtype.itemsize + position
            index.write(ends - lengths.astype(np.int64) * self.dtype.itemsize)
            position = int(ends[-1])
        for start in range(0, self.documents + 1, _CHUNK):
            stop = min(start + _CHUNK, self.documents + 1)
            index.write(np.arange(start, stop, dtype=np.int64))
        return index.close()

    def _spooled(self) -> Iterator[np.ndarray]:
        self._lengths.seek(0)
        while data := self._lengths.read(_CHUNK * 4):
            yield np.frombuffer(data, dtype=np.int32)
