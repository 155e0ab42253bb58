"""Which documents live, and which of them the ledger admits: what later steps ask about the past.

A document that was decided again counts from the snapshot whose run admitted it: its rows in the
tables of later steps lie there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.tables import DOCUMENTS, FETCHES, LEDGER, LEFT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from etl.tables.store import Store

ALLOW = "allow"


def still_live(store: Store, rows: DataFrame, snapshot: str) -> DataFrame:
    """(snapshot, doc_id, uri_id) of each URI's latest among `rows` up to `snapshot`, unless the URI
    went away since."""
    from pyspark.sql import functions as F

    rows = rows.where(F.col("snapshot") <= snapshot)
    latest = rows.groupBy("uri_id").agg(F.max(F.struct("snapshot", "doc_id")).alias("version"))
    gone = (
        store.read(FETCHES)
        .where((F.col("snapshot") <= snapshot) & F.col("verdict").isin(*LEFT))
        .groupBy("uri_id")
        .agg(F.max("snapshot").alias("gone"))
    )
    still = F.col("gone").isNull() | (F.col("gone") <= F.col("version.snapshot"))
    return (
        latest.join(gone, "uri_id", "left")
        .where(still)
        .select("version.snapshot", "version.doc_id", "uri_id")
    )


def decided_at(snapshot: str) -> tuple[Column, Column]:
    """(decision, rule) of a LEDGER row as a run of `snapshot` finds it: a decision that a later
    run came to is not yet there."""
    from pyspark.sql import functions as F

    now = F.col("changed_in") <= snapshot
    return (
        F.when(now, F.col("decision")).otherwise(F.col("previous_decision")),
        F.when(now, F.col("rule")).otherwise(F.col("previous_rule")),
    )


def live_documents(store: Store, snapshot: str) -> DataFrame:
    """(snapshot, doc_id) of the documents that live, admitted before `snapshot`.

    A document that the ledger does not know is taken as admitted with its own snapshot.
    """
    from pyspark.sql import functions as F

    decision, _ = decided_at(snapshot)
    since = F.when(F.col("changed_in") <= snapshot, F.col("changed_in"))
    told = store.read(LEDGER).select(
        "snapshot", "doc_id", decision.alias("verdict"), since.alias("since")
    )
    return (
        still_live(store, store.read(DOCUMENTS), snapshot)
        .join(told, ["snapshot", "doc_id"], "left")
        .where(F.coalesce("verdict", F.lit(ALLOW)) == ALLOW)
        .select(F.greatest("snapshot", "since").alias("snapshot"), "doc_id")
        .where(F.col("snapshot") < snapshot)
    )


def latest_decisions(store: Store) -> DataFrame:
    """(doc_id, decision): what the ledger last said of each document."""
    return _latest(store.read(LEDGER))


def refused_documents(store: Store, among: DataFrame) -> DataFrame:
    """doc_id of documents that the ledger does not admit: of those in `among`, and of all that it
    once admitted."""
    from pyspark.sql import functions as F

    decided = store.read(LEDGER).select("doc_id", "snapshot", "decision", "previous_decision")
    changed = decided.where((F.col("decision") != ALLOW) & F.col("previous_decision").isNotNull())
    asked = among.union(changed.select("doc_id")).distinct()
    latest = _latest(decided.join(asked, "doc_id", "left_semi"))
    return latest.where(F.col("decision") != ALLOW).select("doc_id")


def _latest(ledger: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    row = F.max(F.struct("snapshot", "decision")).alias("row")
    return ledger.groupBy("doc_id").agg(row).select("doc_id", "row.decision")
