"""Connected components of the verified pairs: in one task while they fit, else in rounds.

The rounds are large-star and small-star of R. Kiveris et al., "Connected Components in MapReduce
and Beyond" (SoCC 2014): they end in O(log^2 n) rounds with one star for each component.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.errors import StepError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COMPONENT_SCHEMA = "key binary, component binary"
_MOST_ROUNDS = 64


def connected_components(pairs: DataFrame, *, edges_per_task: int) -> DataFrame | None:
    """(key, component) of every key in `pairs`; component is its smallest key. None: no pairs.

    `pairs` (source, target) should be checkpointed: it is read more than once.
    """
    edges = pairs.count()
    if edges == 0:
        return None
    if edges <= edges_per_task:
        return pairs.coalesce(1).mapInArrow(union_find, COMPONENT_SCHEMA)
    return star_components(pairs)


def union_find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The components of all pairs of one task."""
    import numpy as np
    import pyarrow.compute as pc

    from etl.dedup.forest import smallest_roots

    held = list(batches)
    if not held:
        return
    table = pa.Table.from_batches(held)
    ends = [table.column(name).combine_chunks() for name in ("source", "target")]
    keys = pc.unique(pa.chunked_array(ends))
    keys = keys.take(pc.sort_indices(keys))  # the smallest index is the smallest key
    source, target = (pc.index_in(end, keys).to_numpy().astype(np.int64) for end in ends)
    roots = smallest_roots(source, target, len(keys))
    result = pa.table({"key": keys, "component": keys.take(pa.array(roots))})
    yield from result.to_batches(max_chunksize=50_000)


def star_components(pairs: DataFrame) -> DataFrame:
    """The same in rounds of Spark joins: nothing but the pairs of one node is held in a task."""
    from pyspark.sql import functions as F

    edges = _larger_first(pairs.select(F.col("source").alias("u"), F.col("target").alias("v")))
    edges = edges.localCheckpoint()
    state = _fingerprint(edges)
    for _ in range(_MOST_ROUNDS):
        edges = _small_star(_large_star(edges)).localCheckpoint()
        previous, state = state, _fingerprint(edges)
        if state == previous:
            roots = edges.select(F.col("v").alias("key")).distinct()
            return edges.select(F.col("u").alias("key"), F.col("v").alias("component")).union(
                roots.select("key", F.col("key").alias("component"))
            )
    raise StepError(f"dedup: components did not settle in {_MOST_ROUNDS} rounds; run it again")


def _larger_first(edges: DataFrame) -> DataFrame:
    """Distinct edges (u, v) with u > v; loops dropped."""
    from pyspark.sql import functions as F

    return (
        edges.where(F.col("u") != F.col("v"))
        .select(F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v"))
        .distinct()
    )


def _large_star(edges: DataFrame) -> DataFrame:
    """Every larger neighbour of a node is linked to the node's smallest neighbour (or itself)."""
    from pyspark.sql import functions as F

    both = edges.union(edges.select(F.col("v").alias("u"), F.col("u").alias("v")))
    least = both.groupBy("u").agg(F.min("v").alias("m")).select("u", F.least("u", "m").alias("m"))
    linked = both.where(F.col("v") > F.col("u")).join(least, "u")
    return _larger_first(linked.select(F.col("v").alias("u"), F.col("m").alias("v")))


def _small_star(edges: DataFrame) -> DataFrame:
    """A node and its smaller neighbours are linked to the smallest of them."""
    from pyspark.sql import functions as F

    least = edges.groupBy("u").agg(F.min("v").alias("m"))
    linked = edges.join(least, "u").select(F.col("v").alias("u"), F.col("m").alias("v"))
    return _larger_first(linked.union(least.select("u", F.col("m").alias("v"))))


def _fingerprint(edges: DataFrame) -> Any:
    """A number of edges and a sum that no change of the set leaves alike, but for chance."""
    from pyspark.sql import functions as F

    hashed = F.xxhash64("u", "v").cast("decimal(38,0)")
    return edges.agg(F.count("*").alias("n"), F.sum(hashed).alias("s")).first()
