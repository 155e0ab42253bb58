"""The first half of tokenising, in Spark tasks: text in, tokens out, every row accounted for.

Encoding comes before the shuffle: each input partition is read once, and what moves between
machines is tokens (2 or 4 bytes each) rather than text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizers_mm.indexed.format import DROPPED_SCHEMA
from tokenizers_mm.indexed.writer import with_end_of_document
from tokenizers_mm.text.encode import CheckedEncoder, load_encoder

EMPTY, TOO_LARGE = "tokenize.empty", "tokenize.too_large"
MISSING_TEXT, BAD_ENCODING = "missing_text", "invalid_utf8"
_PROVE = 4  # documents of a task whose ids are compared with `tokenizers`
_PROVE_BYTES = 1 << 14
_SLICE_BYTES = 256 << 20  # of text encoded at a time: bounds memory, keeps offsets in int32

# Columns that pass through untouched: where the row goes and what the documents table says of it.
CARRIED = ("shard", "doc_id", "tie", "url", "language", "licence")
_WHY = [field for field in DROPPED_SCHEMA if field.name != "id"]
ENCODED_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int32()),
        pa.field("doc_id", pa.string()),
        pa.field("tie", pa.int64()),
        pa.field("url", pa.string()),
        pa.field("language", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("bytes_in", pa.int64()),
        pa.field("tokens", pa.binary()),  # little-endian ids, end-of-document last; null: dropped
        *(field.with_nullable(True) for field in _WHY),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTask:
    """All that a task needs; small, since it travels with the query."""

    tokenizer: str
    tokenizer_sha256: str
    encoder: str
    dtype: str
    end_of_document: int
    max_document_bytes: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Arrow batches of `CARRIED` and `text` -> rows of `ENCODED_SCHEMA`, one for each."""
        encoder: CheckedEncoder | None = None
        for batch in batches:
            if encoder is None:
                encoder = load_encoder(self.tokenizer, self.tokenizer_sha256, self.encoder)
                _prove(encoder, batch.column("text"))
            for rows in _slices(batch):
                yield from self._encoded(encoder, rows)

    def _encoded(self, encoder: CheckedEncoder, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        text = rows.column("text")
        sizes = pc.fill_null(pc.binary_length(text), 0)
        why = _Reasons(rows.num_rows)
        missing = pc.is_null(text).to_numpy(zero_copy_only=False)
        why.quarantine(missing, MISSING_TEXT, "the row has no text")
        large = sizes.to_numpy() > self.max_document_bytes
        why.reject(large, TOO_LARGE, sizes.to_numpy(), self.max_document_bytes)
        why.quarantine(_not_utf8(text), BAD_ENCODING, "the text is not valid UTF-8")
        good = np.flatnonzero(~why.dropped)
        ids, offsets = encoder.encode(text.take(pa.array(good)))
        none = np.diff(offsets) == 0
        empty = np.zeros(rows.num_rows, dtype=bool)
        empty[good[none]] = True
        why.reject(empty, EMPTY, np.zeros(rows.num_rows), 1)
        # Documents without ids take no place: their offsets can be left out.
        offsets = np.concatenate([offsets[:1], offsets[1:][~none]])
        tokens, lengths = with_end_of_document(ids, offsets, self.end_of_document, self.dtype)
        columns = {name: rows.column(name) for name in CARRIED}
        columns["bytes_in"] = sizes.cast(pa.int64())
        columns["tokens"] = _as_binary(tokens, lengths, ~why.dropped)
        columns |= why.columns()
        yield pa.RecordBatch.from_arrays(
            [columns[name] for name in ENCODED_SCHEMA.names], schema=ENCODED_SCHEMA
        )


class _Reasons:
    """Why each row of a batch was dropped; the first reason counts."""

    def __init__(self, rows: int) -> None:
        self.dropped = np.zeros(rows, dtype=bool)
        self._found: list[tuple[np.ndarray, Mapping[str, object], np.ndarray | None]] = []

    def reject(self, rows: np.ndarray, rule: str, scores: np.ndarray, threshold: float) -> None:
        same: dict[str, object] = {
            "verdict": "rejected",
            "rule": rule,
            "threshold": float(threshold),
        }
        self._drop(rows, same, scores)

    def quarantine(self, rows: np.ndarray, error: str, message: str) -> None:
        said = {"verdict": "quarantined", "error_class": error, "message": message}
        self._drop(rows, said, None)

    def _drop(
        self, rows: np.ndarray, said: Mapping[str, object], scores: np.ndarray | None
    ) -> None:
        rows = rows & ~self.dropped
        if rows.any():
            self.dropped |= rows
            self._found.append((rows, said, scores))

    def columns(self) -> dict[str, pa.Array]:
        found: dict[str, pa.Array] = {}
        for field in _WHY:
            column = pa.nulls(len(self.dropped), field.type)
            for rows, said, scores in self._found:
                if field.name == "score" and scores is not None:
                    value = pa.array(scores, pa.float64())
                else:
                    value = pa.scalar(said.get(field.name), field.type)
                column = pc.if_else(pa.array(rows), value, column)
            found[field.name] = column
        return found


def _as_binary(tokens: np.ndarray, lengths: np.ndarray, kept: np.ndarray) -> pa.Array:
    """One binary value a row, on the tokens' own buffer; null where a row was dropped."""
    sizes = np.zeros(len(kept) + 1, dtype=np.int64)
    sizes[1:][kept] = lengths.astype(np.int64) * tokens.dtype.itemsize
    offsets = np.cumsum(sizes).astype(np.int32)
    valid = np.packbits(kept, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(tokens)]
    return pa.Array.from_buffers(pa.binary(), len(kept), buffers)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, halved until a piece holds little enough text (or a single row)."""
    if batch.num_rows > 1:
        size = pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
        if size > _SLICE_BYTES:
            half = batch.num_rows // 2
            yield from _slices(batch.slice(0, half))
            yield from _slices(batch.slice(half))
            return
    yield batch


def _prove(encoder: CheckedEncoder, texts: pa.Array) -> None:
    """Compares gigatoken with `tokenizers` on the first short documents of the task."""
    texts = texts.slice(0, _PROVE).drop_null()
    short = texts.filter(pc.less(pc.binary_length(texts), _PROVE_BYTES))
    encoder.check(short.filter(pa.array(~_not_utf8(short))))


def _not_utf8(texts: pa.Array) -> np.ndarray:
    """Which texts are not UTF-8: Spark carries such bytes through in its strings."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return np.array([_is_broken(one) for one in texts.cast(pa.binary()).to_pylist()])
    return np.zeros(len(texts), dtype=bool)


def _is_broken(data: bytes | None) -> bool:
    try:
        (data or b"").decode()
    except UnicodeDecodeError:
        return True
    return False
