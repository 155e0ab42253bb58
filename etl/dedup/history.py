"""What earlier snapshots decided: which documents are published, and which lost their survivor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.dedup.clusters import NODE_COLUMNS, node_key
from etl.dedup.config import DedupConfig
from etl.dedup.signatures import sign_frame
from schemas.tables import CLUSTERS, DEDUPLICATED, DOCUMENTS, FETCHES, FILTERED, SIGNATURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store


def earlier_nodes(store: Store, snapshot: str, config: DedupConfig) -> DataFrame | None:
    """Published documents and orphans (`active`), with `since`, the snapshot of their version.

    None when no earlier snapshot was deduplicated. Signatures of other settings are made anew.
    """
    from pyspark.sql import functions as F

    if not store.exists(SIGNATURES):
        return None
    before = store.read(SIGNATURES).where(F.col("snapshot") < snapshot)
    hashes = {row["config_hash"] for row in before.select("config_hash").distinct().collect()}
    if not hashes:
        return None
    live = live_documents(store, snapshot)
    signed = before.join(live, ["snapshot", "doc_id"], "left_semi")
    if hashes != {config.signature_hash()}:
        signed = _signed_again(store, signed, config)
    status = _status(store, snapshot, live)
    return signed.join(status, ["snapshot", "doc_id"]).select(
        *[
            {"id": F.col("doc_id"), "key": node_key("doc_id")}.get(name, F.col(name)).alias(name)
            for name in NODE_COLUMNS
        ],
        F.col("snapshot").alias("since"),
    )


def live_documents(store: Store, snapshot: str) -> DataFrame:
    """(snapshot, doc_id) of the latest version of each URI, unless S changed it or it went away."""
    from pyspark.sql import functions as F

    documents = store.read(DOCUMENTS).where(F.col("snapshot") <= snapshot)
    latest = documents.groupBy("uri_id").agg(F.max(F.struct("snapshot", "doc_id")).alias("version"))
    gone = (
        store.read(FETCHES)
        .where((F.col("snapshot") <= snapshot) & (F.col("verdict") == "gone"))
        .groupBy("uri_id")
        .agg(F.max("snapshot").alias("gone"))
    )
    still = F.col("gone").isNull() | (F.col("gone") <= F.col("version.snapshot"))
    return (
        latest.join(gone, "uri_id", "left")
        .where(still & (F.col("version.snapshot") < snapshot))
        .select("version.snapshot", "version.doc_id")
    )


def known_members(store: Store, snapshot: str) -> DataFrame:
    """The latest CLUSTERS row of each live document that an earlier snapshot dropped."""
    live = live_documents(store, snapshot)
    placed = _latest_placement(store, snapshot, live)
    return placed.where("NOT published AND survivor IS NOT NULL").drop("published", "snapshot")


def _status(store: Store, snapshot: str, live: DataFrame) -> DataFrame:
    """(snapshot, doc_id, active) of the published and of the orphans; nobody else takes part."""
    from pyspark.sql import functions as F

    placed = _latest_placement(store, snapshot, live)
    published = placed.where("published").select(F.col("doc_id").alias("alive"))
    joined = placed.join(published, F.col("survivor") == F.col("alive"), "left")
    return joined.where("published OR alive IS NULL").select(
        "snapshot", "doc_id", (~F.col("published")).alias("active")
    )


def _latest_placement(store: Store, snapshot: str, live: DataFrame) -> DataFrame:
    """Live documents that were deduplicated: published or not, and their latest cluster.

    Rows older than the live version belong to an earlier life of the same bytes and do not count.
    """
    from pyspark.sql import functions as F

    before = F.col("snapshot") < snapshot
    known = store.read(SIGNATURES).where(before).select("snapshot", "doc_id")
    kept = store.read(DEDUPLICATED).where(before)
    kept = kept.groupBy("doc_id").agg(F.max("snapshot").alias("kept_in"))
    members = (
        store.read(CLUSTERS)
        .where(before)
        .groupBy("doc_id")
        .agg(
            F.max(F.struct("snapshot", "cluster_id", "survivor", "similarity", "method")).alias(
                "row"
            )
        )
    )
    placed = known.join(live, ["snapshot", "doc_id"], "left_semi")
    placed = placed.join(kept, "doc_id", "left").join(members, "doc_id", "left")
    current = F.col("row.snapshot") >= F.col("snapshot")
    return placed.select(
        "snapshot",
        "doc_id",
        F.coalesce(F.col("kept_in") >= F.col("snapshot"), F.lit(False)).alias("published"),
        *[
            F.when(current, F.col(f"row.{name}")).alias(name)
            for name in ("cluster_id", "survivor", "similarity", "method")
        ],
    )


def _signed_again(store: Store, signed: DataFrame, config: DedupConfig) -> DataFrame:
    """`signed`, with the signatures of other settings replaced by new ones from the stored text."""
    from pyspark.sql import functions as F

    fitting = F.col("config_hash") == config.signature_hash()
    stale = signed.where(~fitting).select("snapshot", "doc_id")
    texts = store.read(FILTERED).join(stale, ["snapshot", "doc_id"], "left_semi")
    again = sign_frame(texts, config, ["snapshot", "doc_id"])
    columns = ["snapshot", "doc_id", "exact", "signature", "quality"]
    again = again.withColumn("quality", F.col("units").cast("double"))
    return signed.where(fitting).select(*columns).unionByName(again.select(*columns))
