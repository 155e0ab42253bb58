"""`dedup_snapshot`: the duplicates of one crawl snapshot, within it and against what is published.

The documents that take part in snapshot S:

- **active**, decided now: the rows of FILTERED S, and the *orphans*: live documents that an earlier
  snapshot dropped as duplicates of a survivor that has since changed or gone;
- **published**: live documents that an earlier snapshot kept, present by their signatures alone.
  They always survive, so nothing that was published is taken back while it lives.

Live is the latest version of each URI up to S (DOCUMENTS), unless it was gone since (FETCHES) or
the ledger refuses it. What the ledger admits anew is a row of FILTERED S like any other.
Only partitions before S are read besides FILTERED S, so a rerun of S gives the same rows.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from etl.dedup.clusters import NODE_COLUMNS, Clusters, find_clusters, node_key
from etl.dedup.config import DedupConfig
from etl.dedup.frame import rule_of, threshold_of
from etl.dedup.history import History, read_history
from etl.dedup.signatures import sign_frame
from schemas.identity import config_hash
from schemas.report import JobReport
from schemas.tables import CLUSTERS, DEDUPLICATED, FILTERED, REJECTED, SIGNATURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store

STEP = "dedup"


def dedup_snapshot(store: Store, snapshot: str, config: DedupConfig) -> JobReport:
    """FILTERED S -> DEDUPLICATED S, CLUSTERS S, SIGNATURES S and REJECTED (dedup, S).

    Survivors are chosen by: published before, then the number of units in the text (the most
    complete version; column `quality` of SIGNATURES), then the oldest snapshot, then the smallest
    doc_id. An orphan is decided like a new document: elected, its FILTERED row goes to DEDUPLICATED
    with `snapshot` S; dropped again, it has a row in REJECTED S. So the report's `rows_in` counts
    FILTERED S and the orphans (`extra.reconsidered`), and equals the rows of DEDUPLICATED S and
    REJECTED (dedup, S) together.
    """
    from pyspark.sql import functions as F

    started = time.monotonic()
    filtered = store.read(FILTERED).where(F.col("snapshot") == snapshot)
    nodes = new = _new_nodes(filtered, config).localCheckpoint()
    decided = filtered
    history = read_history(store, snapshot)
    if history is not None:
        earlier = history.nodes(config)
        nodes = new.select(*_KEPT_OF_NODES).unionByName(earlier).localCheckpoint()
        orphans = nodes.where("active AND since IS NOT NULL")
        if not orphans.isEmpty():
            decided = filtered.unionByName(_orphan_rows(store, snapshot, orphans))
    found = find_clusters(nodes, config)
    dropped = found.dropped_rows()
    ids = dropped.select(F.col("id").alias("doc_id"))
    own = {"snapshot": snapshot}
    store.replace_all(
        (SIGNATURES, _signature_rows(new, snapshot, config), own),
        (CLUSTERS, _cluster_rows(snapshot, found.rows, history), own),
        (DEDUPLICATED, decided.join(ids, "doc_id", "left_anti"), own),
        (REJECTED, _rejected_rows(decided, dropped, config), own | {"step": STEP}),
    )
    report = _report(store, snapshot, nodes, found)
    written = (SIGNATURES, CLUSTERS, DEDUPLICATED, REJECTED)
    report.outputs = {spec.name: store.path(spec) for spec in written}
    report.seconds = time.monotonic() - started
    return report.require_reconciled()


_KEPT_OF_NODES = (*NODE_COLUMNS, "since")


def _new_nodes(filtered: DataFrame, config: DedupConfig) -> DataFrame:
    from pyspark.sql import functions as F

    carried = ["doc_id", "uri_id", "text_sha256", "snapshot"]
    return sign_frame(filtered, config, carried).withColumns(
        {
            "id": F.col("doc_id"),
            "key": node_key("doc_id"),
            "quality": F.col("units").cast("double"),
            "active": F.lit(True),
            "since": F.lit(None).cast("string"),
        }
    )


def _signature_rows(new: DataFrame, snapshot: str, config: DedupConfig) -> DataFrame:
    from pyspark.sql import functions as F

    return new.select(
        F.lit(snapshot).alias("snapshot"),
        "doc_id",
        "uri_id",
        "text_sha256",
        "exact",
        "signature",
        "quality",
        F.lit(config.signature_hash()).alias("config_hash"),
    )


def _cluster_rows(snapshot: str, clusters: DataFrame, history: History | None) -> DataFrame:
    """CLUSTERS S: what was found now, and the members that its survivors had before."""
    from pyspark.sql import functions as F

    found = clusters.select(
        F.col("id").alias("doc_id"), "cluster_id", "survivor", "similarity", "method"
    )
    if history is not None:
        members = history.members().join(found.select("survivor").distinct(), "survivor")
        fresh = members.join(found.select("doc_id"), "doc_id", "left_anti")
        found = found.unionByName(fresh.select(*found.columns))
        smallest = found.groupBy("survivor").agg(F.min("doc_id").alias("cluster_id"))
        found = found.drop("cluster_id").join(smallest, "survivor")
    return found.withColumn("snapshot", F.lit(snapshot))


def _orphan_rows(store: Store, snapshot: str, orphans: DataFrame) -> DataFrame:
    """The FILTERED rows of the orphans, carried to this snapshot."""
    from pyspark.sql import functions as F

    orphans = orphans.select(F.col("id").alias("doc_id"), F.col("since").alias("snapshot"))
    earlier = store.read(FILTERED).where(F.col("snapshot") < snapshot)
    rows = earlier.join(orphans, ["snapshot", "doc_id"], "left_semi")
    return rows.withColumn("snapshot", F.lit(snapshot))


def _rejected_rows(decided: DataFrame, dropped: DataFrame, config: DedupConfig) -> DataFrame:
    from pyspark.sql import functions as F

    verdicts = dropped.select(
        F.col("id").alias("doc_id"),
        rule_of(F.col("method")).alias("rule"),
        F.col("similarity").alias("score"),
        threshold_of(F.col("method"), config).alias("threshold"),
    )
    carried = ("snapshot", "uri_id", "url", "language", "licence", "scores")
    return (
        decided.select("doc_id", *carried)
        .join(verdicts, "doc_id")
        .withColumns(
            {
                "step": F.lit(STEP),
                "reasons": F.array(F.struct("rule", "score", "threshold")),
                "config_hash": F.lit(config_hash(dataclasses.asdict(config))),
            }
        )
    )


def _report(store: Store, snapshot: str, nodes: DataFrame, found: Clusters) -> JobReport:
    """`kept` is counted in the table itself, so that the report proves what was written."""
    from pyspark.sql import functions as F

    orphan = F.col("since").isNotNull()
    counted = nodes.where("active").agg(F.count("*"), F.count_if(orphan)).first()
    report = JobReport(verb=STEP, rejected=dict(found.dropped))
    report.rows_in, report.extra["reconsidered"] = counted or (0, 0)
    report.kept = store.read(DEDUPLICATED).where(F.col("snapshot") == snapshot).count()
    report.extra["clusters"] = found.clusters
    return report
