"""What one Spark task does: encode its rows and write the shards that they belong to.

Rows arrive sorted by (shard, doc_id). A shard is staged under a name of its own; the driver
publishes what the tasks report, so that a task that is retried or killed leaves nothing behind.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.manifest import ShardEntry
from tokenizers_mm.indexed.files import RowGroups
from tokenizers_mm.indexed.format import DROPPED, DROPPED_SCHEMA, beside
from tokenizers_mm.indexed.writer import ShardWriter, with_end_of_document
from tokenizers_mm.text.encode import load_encoder

EMPTY, TOO_LARGE = "tokenize.empty", "tokenize.too_large"
MISSING_TEXT, BAD_ENCODING = "missing_text", "invalid_utf8"
_PROVE = 4  # documents of a task whose ids are compared with `tokenizers`
_PROVE_BYTES = 1 << 14

# One row for each part: a shard, or a task's share of the single one.
PART_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("first_id", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),  # name in the staging folder
        pa.field("entry", pa.string(), nullable=False),  # ShardEntry as JSON
        pa.field("bytes_in", pa.int64(), nullable=False),
        pa.field("empty", pa.int64(), nullable=False),
        pa.field("too_large", pa.int64(), nullable=False),
        pa.field("quarantined", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """All that a task needs; small, since it travels with the query."""

    staging: str
    tokenizer: str
    tokenizer_sha256: str
    encoder: str
    dtype: str
    end_of_document: int
    max_document_bytes: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Arrow batches (shard, doc_id, text, url, language, licence) -> rows of `PART_SCHEMA`."""
        part: _Part | None = None
        for batch in batches:
            for rows in _by_shard(batch):
                shard = rows["shard"][0].as_py()
                if part is None or part.shard != shard:
                    if part is not None:
                        yield part.finish()
                    part = _Part(self, shard, rows["doc_id"][0].as_py())
                part.append(rows)
        if part is not None:
            yield part.finish()


def _by_shard(batch: pa.RecordBatch) -> Iterator[pa.Table]:
    """Slices of equal shard; rows are sorted by it."""
    table = pa.Table.from_batches([batch])
    shards = batch.column("shard").to_numpy(zero_copy_only=False)
    cuts = [0, *(np.flatnonzero(np.diff(shards)) + 1).tolist(), len(shards)]
    for start, stop in itertools.pairwise(cuts):
        if stop > start:
            yield table.slice(start, stop - start)


class _Part:
    """A shard, or a task's share of one, while it is written."""

    def __init__(self, task: ShardTask, shard: int, first_id: str) -> None:
        self.task, self.shard, self.first_id = task, shard, first_id
        self.name = f"{shard:05d}-{uuid.uuid4().hex}"
        self.encoder = load_encoder(task.tokenizer, task.tokenizer_sha256, task.encoder)
        self.prefix = Path(task.staging) / self.name
        self.writer = ShardWriter(self.prefix, task.dtype)
        self.dropped: RowGroups | None = None
        self.dropped_rows: list[pa.Table] = []  # of the batch at hand
        self.bytes_in = 0
        self.counts = dict.fromkeys((EMPTY, TOO_LARGE, MISSING_TEXT, BAD_ENCODING), 0)
        self.proven = False

    def append(self, rows: pa.Table) -> None:
        self._encode(rows.append_column("row", pa.array(np.arange(rows.num_rows))))
        self._write_dropped()

    def _encode(self, rows: pa.Table) -> None:
        rows = self._without_bad_text(rows)
        text = rows["text"].combine_chunks()
        if not self.proven and len(text):
            self.proven = True
            head = text.slice(0, _PROVE)
            self.encoder.check(head.filter(pc.less(pc.binary_length(head), _PROVE_BYTES)))
        ids, offsets = self.encoder.encode(text)
        some = np.diff(offsets) > 0
        if not some.all():  # they hold no ids: leaving their offsets out removes them
            self._drop(rows.filter(pa.array(~some)), EMPTY, np.zeros(int((~some).sum())), 1)
            rows = rows.filter(pa.array(some))
            offsets = np.concatenate([offsets[:1], offsets[1:][some]])
        if not rows.num_rows:
            return
        tokens, lengths = with_end_of_document(
            ids, offsets, self.task.end_of_document, self.task.dtype
        )
        modality = pa.array(["text"], pa.string()).take(pa.array(np.zeros(len(lengths), np.int8)))
        self.writer.append(tokens, lengths, rows.append_column("modality", modality))

    def _without_bad_text(self, rows: pa.Table) -> pa.Table:
        missing = pc.is_null(rows["text"])
        if pc.any(missing).as_py():
            self._quarantine(rows.filter(missing), MISSING_TEXT, "the row has no text")
            rows = rows.filter(pc.invert(missing))
        sizes = pc.binary_length(rows["text"])
        self.bytes_in += pc.sum(sizes).as_py() or 0
        limit = self.task.max_document_bytes
        large = pc.greater(sizes, limit)
        if pc.any(large).as_py():
            self._drop(rows.filter(large), TOO_LARGE, sizes.filter(large).to_numpy(), limit)
            rows = rows.filter(pc.invert(large))
        broken = _not_utf8(rows["text"])
        if broken is not None:
            self._quarantine(rows.filter(broken), BAD_ENCODING, "the text is not valid UTF-8")
            rows = rows.filter(pc.invert(broken))
        return rows

    def _drop(self, rows: pa.Table, rule: str, scores: np.ndarray, threshold: float) -> None:
        same = {"verdict": "rejected", "rule": rule, "threshold": float(threshold)}
        self._record(rows, rule, same, pa.array(scores, pa.float64()))

    def _quarantine(self, rows: pa.Table, error: str, message: str) -> None:
        self._record(
            rows, error, {"verdict": "quarantined", "error_class": error, "message": message}, None
        )

    def _record(
        self, rows: pa.Table, kind: str, same: dict[str, object], scores: pa.Array | None
    ) -> None:
        self.counts[kind] += rows.num_rows
        columns = []
        for field in DROPPED_SCHEMA:
            if field.name == "id":
                columns.append(rows["doc_id"])
            elif field.name == "score" and scores is not None:
                columns.append(scores)
            else:
                value = pa.scalar(same.get(field.name), field.type)
                columns.append(pa.repeat(value, rows.num_rows))
        table = pa.table(columns, schema=DROPPED_SCHEMA)
        self.dropped_rows.append(table.append_column("row", rows["row"]))

    def _write_dropped(self) -> None:
        """In the order of the rows, so that the file does not depend on where batches end."""
        if not self.dropped_rows:
            return
        table = pa.concat_tables(self.dropped_rows).sort_by("row").drop_columns("row")
        self.dropped_rows = []
        if self.dropped is None:
            self.dropped = RowGroups(beside(self.prefix, DROPPED), DROPPED_SCHEMA)
        self.dropped.append(table)

    def finish(self) -> pa.RecordBatch:
        with self.writer as writer:
            entry: ShardEntry = writer.finish()
        if self.dropped is not None:
            self.dropped.close()
        row = {
            "shard": self.shard,
            "first_id": self.first_id,
            "part": self.name,
            "entry": entry.model_dump_json(),
            "bytes_in": self.bytes_in,
            "empty": self.counts[EMPTY],
            "too_large": self.counts[TOO_LARGE],
            "quarantined": self.counts[MISSING_TEXT] + self.counts[BAD_ENCODING],
        }
        return pa.RecordBatch.from_pylist([row], schema=PART_SCHEMA)


def _not_utf8(texts: pa.ChunkedArray) -> pa.Array | None:
    """Which texts are not UTF-8, or None when all are: Spark carries such bytes through."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_is_broken(one) for one in texts.cast(pa.binary()).to_pylist()])
    return None


def _is_broken(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False
