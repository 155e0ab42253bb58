"""What earlier snapshots decided: which documents are published, and which lost their survivor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.dedup.clusters import NODE_COLUMNS, node_key
from etl.dedup.config import DedupConfig
from etl.dedup.signatures import sign_frame
from etl.licence.live import live_documents
from schemas.tables import CLUSTERS, DEDUPLICATED, FILTERED, SIGNATURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store


@dataclass(frozen=True, slots=True)
class History:
    """What the snapshots before one decided about the documents that still live.

    `placed`: snapshot (of the live version), doc_id, published, and for the dropped ones the latest
    cluster_id, survivor, similarity, method.
    """

    store: Store
    snapshot: str
    placed: DataFrame
    signature_hashes: frozenset[str]

    def nodes(self, config: DedupConfig) -> DataFrame:
        """Published documents and orphans (`active`), with `since`, their version's snapshot.

        Signatures of other settings are made anew, from the text in FILTERED.
        """
        from pyspark.sql import functions as F

        signed = self.store.read(SIGNATURES).where(F.col("snapshot") < self.snapshot)
        if self.signature_hashes != {config.signature_hash()}:
            signed = self._signed_again(signed, config)
        renamed = {"id": F.col("doc_id"), "key": node_key("doc_id")}
        return signed.join(self._taking_part(), ["snapshot", "doc_id"]).select(
            *[renamed.get(name, F.col(name)).alias(name) for name in NODE_COLUMNS],
            F.col("snapshot").alias("since"),
        )

    def members(self) -> DataFrame:
        """The latest CLUSTERS row of each living document that was dropped."""
        return self.placed.where("NOT published").drop("published", "snapshot")

    def _taking_part(self) -> DataFrame:
        """(snapshot, doc_id, active): the published, and the dropped whose survivor is not."""
        from pyspark.sql import functions as F

        published = self.placed.where("published").select(F.col("doc_id").alias("alive"))
        joined = self.placed.join(published, F.col("survivor") == F.col("alive"), "left")
        return joined.where("published OR alive IS NULL").select(
            "snapshot", "doc_id", (~F.col("published")).alias("active")
        )

    def _signed_again(self, signed: DataFrame, config: DedupConfig) -> DataFrame:
        from pyspark.sql import functions as F

        fitting = F.col("config_hash") == config.signature_hash()
        stale = signed.where(~fitting).select("snapshot", "doc_id")
        texts = self.store.read(FILTERED).join(stale, ["snapshot", "doc_id"], "left_semi")
        again = sign_frame(texts, config, ["snapshot", "doc_id"])
        columns = ["snapshot", "doc_id", "exact", "signature", "quality"]
        again = again.withColumn("quality", F.col("units").cast("double"))
        return signed.where(fitting).select(*columns).unionByName(again.select(*columns))


def read_history(store: Store, snapshot: str) -> History | None:
    """None when no earlier snapshot was deduplicated."""
    from pyspark.sql import functions as F

    if not store.exists(SIGNATURES):
        return None
    before = store.read(SIGNATURES).where(F.col("snapshot") < snapshot)
    hashes = frozenset(
        row["config_hash"] for row in before.select("config_hash").distinct().collect()
    )
    if not hashes:
        return None
    live = live_documents(store, snapshot).localCheckpoint()  # it cuts the plan: see clusters.py
    placed = _placed(store, snapshot, live).localCheckpoint()
    return History(store, snapshot, placed, hashes)


def _placed(store: Store, snapshot: str, live: DataFrame) -> DataFrame:
    """`History.placed`. Rows older than the live version belong to an earlier life of the same
    bytes, or to the time before the ledger admitted it again, and do not count; a live
    document without any was filtered out."""
    from pyspark.sql import functions as F

    before = F.col("snapshot") < snapshot
    kept = store.read(DEDUPLICATED).where(before)
    kept = kept.groupBy("doc_id").agg(F.max("snapshot").alias("kept_in"))
    row = F.struct("snapshot", "cluster_id", "survivor", "similarity", "method")
    members = store.read(CLUSTERS).where(before).groupBy("doc_id").agg(F.max(row).alias("row"))
    joined = live.join(kept, "doc_id", "left").join(members, "doc_id", "left")
    current = F.col("row.snapshot") >= F.col("snapshot")
    placed = joined.select(
        "snapshot",
        "doc_id",
        F.coalesce(F.col("kept_in") >= F.col("snapshot"), F.lit(False)).alias("published"),
        *[
            F.when(current, F.col(f"row.{name}")).alias(name)
            for name in ("cluster_id", "survivor", "similarity", "method")
        ],
    )
    return placed.where("published OR survivor IS NOT NULL")
