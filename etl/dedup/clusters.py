"""From signatures to clusters: candidates, components, survivors. Nothing but counts comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.dedup.candidates import candidate_pairs, verified_pairs
from etl.dedup.components import connected_components
from etl.dedup.config import DedupConfig
from etl.dedup.election import CLUSTER_SCHEMA, elect

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NODE_COLUMNS = ("id", "key", "exact", "signature", "quality", "snapshot", "active")


def node_key(id_column: str, origin: str = "") -> Column:
    """16 bytes that stand for an id while documents are linked; `origin` keeps two sets apart."""
    from pyspark.sql import functions as F

    named = F.concat(F.lit(f"{origin}\n"), F.col(id_column))
    return F.substring(F.unhex(F.sha2(named, 256)), 1, 16)


def find_clusters(nodes: DataFrame, config: DedupConfig) -> DataFrame:
    """Clusters of two members or more: one row a member, see `election.CLUSTER_SCHEMA`.

    `nodes` (`NODE_COLUMNS`, `key` unique) should be persisted: it is read several times. A node
    that is not `active` was published before: it always survives, and two of them are never
    compared. The result is persisted and complete; the caller unpersists it. The same nodes give
    the same rows, whatever their order and however many tasks.
    """
    layout = config.layout()
    spark = nodes.sparkSession
    tasks = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    candidates = candidate_pairs(
        nodes, layout, tasks=tasks, pairs_per_bucket=config.pairs_per_bucket
    )
    pairs = verified_pairs(candidates, nodes, layout).persist()
    try:
        components = connected_components(pairs, edges_per_task=config.edges_per_task)
        if components is None:
            return spark.createDataFrame([], CLUSTER_SCHEMA)
        clusters = elect(nodes, components, layout, tasks=tasks).persist()
        clusters.count()
    finally:
        pairs.unpersist()
    return clusters
