"""Candidate pairs: LSH buckets, linked without blowing up, then verified on the signatures.

The band join is the cost of MinHash on Spark (a row for each band of each document). Here a band
row never becomes a Spark row: every batch of signatures is turned into a few packed arrays, one for
each bucket range, and only these travel. The receiver sorts a range's array and links each bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.dedup.config import Layout
from etl.dedup.signatures import EXACT_BYTES, minima_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from pyspark.sql import DataFrame

KEY_BYTES = 16
PAIR_SCHEMA = "source binary, target binary"
_RANGES_PER_TASK = 8  # bounds the memory of the receiver: it holds one range at a time
_PAIRS_HELD = 1_000_000

ArrowPass = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def candidate_pairs(nodes: DataFrame, layout: Layout, *, tasks: int, pairs_per_bucket: int) -> Any:
    """Distinct pairs (source, target) of keys that share a bucket; at least one is `active`.

    `nodes`: key (16 bytes), exact, signature, active. A bucket is a band's minima, or the exact
    hash. Up to `pairs_per_bucket` members all pairs are linked; a larger bucket becomes a star
    around one member, plus a chain, so that its cost is linear.
    """
    ranges = tasks * _RANGES_PER_TASK
    packed = nodes.select("key", "exact", "signature", "active").mapInArrow(
        _packer(layout, ranges), "range int, packed binary"
    )
    linked = packed.repartition(tasks, "range").sortWithinPartitions("range")
    return linked.mapInArrow(_linker(pairs_per_bucket), PAIR_SCHEMA).distinct()


def verified_pairs(pairs: DataFrame, nodes: DataFrame, layout: Layout) -> DataFrame:
    """The pairs whose estimated Jaccard similarity reaches the threshold, or that are exact."""
    from pyspark.sql import functions as F

    sides = [
        nodes.select(
            F.col("key").alias(end),
            F.col("exact").alias(f"{end}_exact"),
            F.col("signature").alias(f"{end}_signature"),
        )
        for end in ("source", "target")
    ]
    joined = pairs.join(sides[0], "source").join(sides[1], "target")
    return joined.mapInArrow(_verifier(layout), PAIR_SCHEMA)


def _packer(layout: Layout, ranges: int) -> ArrowPass:
    """Signatures -> (range, array of uint64[n, 3]: bucket hash with the active bit, key)."""

    def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import numpy as np

        for batch in batches:
            records = _bucket_records(batch, layout)
            if not len(records):
                continue
            # The top bits choose the range, so one bucket is in one range.
            of = (records[:, 0] >> np.uint64(33)) % np.uint64(ranges)
            order = np.argsort(of, kind="stable")
            records, of = records[order], of[order]
            starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
            ends = np.r_[starts[1:], len(of)]
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(of[starts].astype(np.int32)),
                    pa.array(
                        [
                            records[start:end].tobytes()
                            for start, end in zip(starts, ends, strict=True)
                        ],
                        pa.binary(),
                    ),
                ],
                names=["range", "packed"],
            )

    return pack


def _bucket_records(batch: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.uint64]:
    import numpy as np

    from etl.dedup.kernel import band_hashes

    minima, present = minima_matrix(batch.column("signature"), layout.permutations)
    active = np.asarray(batch.column("active").to_numpy(zero_copy_only=False), dtype=np.uint64)
    key = _words(batch.column("key"), KEY_BYTES)
    exact = _words(batch.column("exact"), EXACT_BYTES)[:, :1]
    bands = band_hashes(minima, layout.bands, layout.rows)
    hashes = np.concatenate([exact, bands], axis=1)
    # A document has its exact bucket, and its bands if it has a shingle.
    used = np.ones(hashes.shape, dtype=bool)
    used[~present, 1:] = False
    rows, columns = np.nonzero(used)
    records = np.empty((len(rows), 3), dtype=np.uint64)
    records[:, 0] = (hashes[rows, columns] & ~np.uint64(1)) | active[rows]
    records[:, 1:] = key[rows]
    return records


def _words(column: pa.Array, width: int) -> npt.NDArray[np.uint64]:
    """A binary column of one width as big-endian words, so that their order is the bytes' order."""
    import numpy as np

    data = b"".join(column.to_pylist())
    return np.frombuffer(data, dtype=">u8").reshape(-1, width // 8).astype(np.uint64)


def _linker(pairs_per_bucket: int) -> ArrowPass:
    """(range, array)s, sorted by range -> linked pairs, distinct within this task."""

    def link(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import numpy as np

        held: list[Any] = []  # arrays of 32-byte pairs
        size = 0
        for packed in _by_range(batches):
            records = np.frombuffer(b"".join(packed), dtype=np.uint64).reshape(-1, 3)
            pairs = _link_buckets(records, pairs_per_bucket)
            held.append(pairs)
            size += len(pairs)
            if size > _PAIRS_HELD:
                held = [np.unique(np.concatenate(held))]
                if len(held[0]) > _PAIRS_HELD // 2:
                    yield from _pair_batches(held[0])
                    held = []
                size = sum(map(len, held))
        if size:
            yield from _pair_batches(np.unique(np.concatenate(held)))

    return link


def _by_range(batches: Iterator[pa.RecordBatch]) -> Iterator[list[bytes]]:
    current: int | None = None
    held: list[bytes] = []
    for batch in batches:
        for number, packed in zip(
            batch.column("range").to_pylist(), batch.column("packed").to_pylist(), strict=True
        ):
            if number != current and held:
                yield held
                held = []
            current = number
            held.append(packed)
    if held:
        yield held


def _link_buckets(records: npt.NDArray[np.uint64], pairs_per_bucket: int) -> npt.NDArray[np.void]:
    """Pairs of one range, as 32 bytes each: source key, target key."""
    import numpy as np

    from etl.dedup.buckets import link_buckets

    bucket = records[:, 0] >> np.uint64(1)
    order = np.argsort(bucket)
    ordered = bucket[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.r_[same, False] | np.r_[False, same]
    chosen = records[order[shared]]
    # Within a bucket: records of earlier snapshots first, then by key. The order decides the links,
    # so that they depend on nothing but the documents.
    active = chosen[:, 0] & np.uint64(1)
    chosen = chosen[np.lexsort((chosen[:, 2], chosen[:, 1], active, chosen[:, 0] >> np.uint64(1)))]
    sources, targets = link_buckets(chosen[:, 0], pairs_per_bucket)
    pairs = np.concatenate([chosen[sources, 1:], chosen[targets, 1:]], axis=1).astype(">u8")
    return np.ascontiguousarray(pairs).view("V32").reshape(-1)


def _pair_batches(pairs: npt.NDArray[np.void]) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(pairs), 50_000):
        data = pairs[start : start + 50_000].tobytes()
        both = pa.Array.from_buffers(
            pa.binary(KEY_BYTES), len(data) // KEY_BYTES, [None, pa.py_buffer(data)]
        ).cast(pa.binary())
        yield pa.RecordBatch.from_arrays(
            [both.take(pa.array(range(end, len(both), 2))) for end in (0, 1)],
            names=["source", "target"],
        )


def _verifier(layout: Layout) -> ArrowPass:
    def verify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        for batch in batches:
            left, has_left = minima_matrix(batch.column("source_signature"), layout.permutations)
            right, has_right = minima_matrix(batch.column("target_signature"), layout.permutations)
            estimate = (left == right).mean(axis=1) if len(left) else left[:, 0]
            alike = (estimate >= layout.threshold) & has_left & has_right
            exact = pc.equal(batch.column("source_exact"), batch.column("target_exact"))
            yield batch.select(["source", "target"]).filter(pc.or_(pa.array(alike), exact))

    return verify
