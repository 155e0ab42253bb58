"""The bytes of a Megatron index: header, lengths, pointers, document boundaries.

Layout of `.idx` (little-endian): the magic `MMIDIDX\\0\\0`, `<Q` version 1, `<B` dtype code, `<Q`
sequences, `<Q` documents + 1, then int32 lengths (tokens), int64 pointers (bytes into `.bin`),
int64 document boundaries (sequence numbers). A document is one sequence here.
Source: megatron.core.datasets.indexed_dataset (0.16.1).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.errors import InputError

MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<QBQQ")
HEADER_BYTES = len(MAGIC) + _HEADER.size
DTYPE_CODES: dict[str, int] = {"int32": 4, "uint16": 8}
_DTYPE_NAMES = {code: name for name, code in DTYPE_CODES.items()}
UINT16_BELOW = 65_500

BIN, IDX, DOCS, MANIFEST = ".bin", ".idx", ".docs.parquet", ".manifest.json"
DROPPED = ".dropped.parquet"
SHARD_SUFFIXES = (BIN, IDX, DOCS)

DOCS_SCHEMA = pa.schema(
    [
        pa.field("document", pa.int64(), nullable=False),  # index in this shard
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("token_offset", pa.int64(), nullable=False),  # first token, in tokens
        pa.field("length", pa.int32(), nullable=False),  # tokens, the end-of-document included
        pa.field("modality", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
    ]
)
DROPPED_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("verdict", pa.string(), nullable=False),  # rejected or quarantined
        pa.field("rule", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("error_class", pa.string()),
        pa.field("message", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class IndexHeader:
    dtype: np.dtype
    sequences: int
    boundaries: int


def optimal_dtype(vocabulary_size: int) -> str:
    """`uint16` below 65,500 ids, else `int32`: Megatron's `DType.optimal_dtype`."""
    return "uint16" if vocabulary_size < UINT16_BELOW else "int32"


def pack_header(dtype: str, documents: int) -> bytes:
    return MAGIC + _HEADER.pack(1, DTYPE_CODES[dtype], documents, documents + 1)


def read_header(path: Path) -> IndexHeader:
    """Raises `InputError` naming the file when it is not an index that this module writes."""
    with path.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        raise InputError(f"{path}: not a Megatron index; tokenize again")
    version, code, sequences, boundaries = _HEADER.unpack(head[len(MAGIC) :])
    if version != 1 or code not in _DTYPE_NAMES:
        raise InputError(f"{path}: index version {version}, dtype code {code}; tokenize again")
    return IndexHeader(np.dtype(_DTYPE_NAMES[code]), sequences, boundaries)


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def beside(prefix: Path, suffix: str) -> Path:
    """`PREFIX` + suffix. Not `with_suffix`: a prefix may hold dots (`corpus.valid`)."""
    return prefix.with_name(prefix.name + suffix)
