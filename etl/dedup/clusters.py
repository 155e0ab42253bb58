"""From signatures to clusters: candidates, components, survivors. Nothing but counts comes back.

What is read more than once is held by `localCheckpoint`, not by `persist`: it also cuts the plan,
and a plan that repeats its input costs the driver far more than these rows cost the executors. The
blocks are freed when the frame is collected; a lost executor fails the step, a rerun repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.dedup.candidates import candidate_pairs, verified_pairs
from etl.dedup.components import connected_components
from etl.dedup.config import EXACT_RULE, NEAR_RULE, DedupConfig
from etl.dedup.election import CLUSTER_SCHEMA, elect

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NODE_COLUMNS = ("id", "key", "exact", "signature", "quality", "snapshot", "active")


def node_key(id_column: str, origin: str = "") -> Column:
    """16 bytes that stand for an id while documents are linked; `origin` keeps two sets apart."""
    from pyspark.sql import functions as F

    named = F.concat(F.lit(f"{origin}\n"), F.col(id_column))
    return F.substring(F.unhex(F.sha2(named, 256)), 1, 16)


@dataclass(frozen=True, slots=True)
class Clusters:
    """`rows`: `election.CLUSTER_SCHEMA`, computed already.

    `clusters` is their number; `dropped` counts the active members that do not survive, by rule.
    """

    rows: DataFrame
    clusters: int
    dropped: dict[str, int]

    def dropped_rows(self) -> DataFrame:
        return self.rows.where("dropped")


def find_clusters(nodes: DataFrame, config: DedupConfig) -> Clusters:
    """Clusters of two members or more among `nodes` (`NODE_COLUMNS`, `key` unique).

    `nodes` should be checkpointed: it is read several times. A node that is not `active` was
    published before: it always survives, and two of them are never compared. The same nodes give
    the same rows, whatever their order and however many tasks.
    """
    layout = config.layout()
    spark = nodes.sparkSession
    tasks = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    candidates = candidate_pairs(
        nodes, layout, tasks=tasks, pairs_per_bucket=config.pairs_per_bucket
    )
    pairs = verified_pairs(candidates, nodes, layout).localCheckpoint()
    components = connected_components(pairs, edges_per_task=config.edges_per_task)
    if components is None:
        return Clusters(spark.createDataFrame([], CLUSTER_SCHEMA), 0, {})
    return _counted(elect(nodes, components, layout, tasks=tasks).localCheckpoint())


def _counted(rows: DataFrame) -> Clusters:
    from pyspark.sql import functions as F

    drops = F.col("dropped")
    counts = rows.agg(
        F.count_distinct("survivor"),
        F.count_if(drops & (F.col("method") == "exact")),
        F.count_if(drops & (F.col("method") == "near")),
    ).first()
    clusters, exact, near = counts or (0, 0, 0)
    dropped = {EXACT_RULE: exact, NEAR_RULE: near}
    return Clusters(rows, clusters, {rule: number for rule, number in dropped.items() if number})
