"""The corpus step: a snapshot's unique documents masked and merged into the current corpus."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import schemas
from etl.licence.live import refused_documents
from etl.scrub.config import ScrubConfig
from etl.scrub.job import STEP, scrub_frame
from schemas.identity import config_hash
from schemas.report import JobReport
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FINDINGS,
    LEFT,
    QUARANTINE,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store

CHANGED = (
    "new.snapshot >= old.snapshot AND (old.text_sha256 <> new.text_sha256 "
    "OR old.licence <> new.licence OR old.doc_id <> new.doc_id)"
)
"""When a document of the corpus is written again. An older snapshot never overwrites a newer."""


_DONE = ("inserted", "updated", "deleted")


def corpus_snapshot(store: Store, snapshot: str, config: ScrubConfig) -> JobReport:
    """Masks `deduplicated` of `snapshot` and brings the corpus up to date with it.

    Written: `findings` and `quarantine` (the partition becomes exactly this), `corpus` (MERGE on
    uri_id). Removed from the corpus, unless a later snapshot wrote them: pages that the snapshot
    found gone, pages whose new version was not kept, documents that it found to be duplicates, and
    documents that the ledger refuses by now.
    Run again, or run late, it changes nothing that is newer.
    """
    from pyspark.sql import functions as F

    started = time.monotonic()
    unique = store.read(DEDUPLICATED).where(F.col("snapshot") == snapshot).drop("scores")
    stamps = {
        "code_version": F.lit(f"token-foundry {schemas.__version__}"),
        "config_hash": F.lit(config_hash(dataclasses.asdict(config))),
    }
    with scrub_frame(unique, config).persisted() as decided:
        report = decided.report(STEP, rows_in=unique.count())
        kept = decided.kept()
        found = kept.select("snapshot", "doc_id", F.explode("findings").alias("found"))
        quarantined = decided.quarantined().withColumns(
            {"step": F.lit(STEP), "item_id": F.col("doc_id")}
        )
        own = {"snapshot": snapshot}
        store.replace_all(
            (FINDINGS, found.select("snapshot", "doc_id", "found.*"), own),
            (QUARANTINE, quarantined.select(*QUARANTINE.column_names), own | {"step": STEP}),
        )
        rows = kept.drop("findings").withColumns(stamps)
        done = _merge(store, snapshot, rows, decided.quarantined().select("uri_id"))
        masked = kept.select(F.explode("findings.entity").alias("entity"))
        by_entity = masked.groupBy("entity").count().orderBy("entity").collect()
    report.extra = {"masked": {row["entity"]: row["count"] for row in by_entity}, **done}
    report.outputs = {spec.name: store.path(spec) for spec in (CORPUS, FINDINGS, QUARANTINE)}
    report.seconds = time.monotonic() - started
    return report


def _merge(store: Store, snapshot: str, rows: DataFrame, unmasked: DataFrame) -> dict[str, int]:
    """One MERGE: the rows that no later snapshot has overtaken, and the removals; what it did."""
    refused = refused_documents(store, rows.select("doc_id")).localCheckpoint()
    rows = rows.join(_decided_later(store, snapshot), "uri_id", "left_anti")
    commit = store.merge(
        CORPUS,
        rows.join(refused, "doc_id", "left_anti"),
        when_changed=CHANGED,
        delete=_leaving(store, snapshot, unmasked, refused),
    )
    counted = {name: f"numTargetRows{name.capitalize()}" for name in _DONE}
    done = {name: int(commit.metrics.get(metric, 0)) for name, metric in counted.items()}
    return {**done, "corpus_version": commit.version}


def _decided_later(store: Store, snapshot: str) -> DataFrame:
    """uri_ids about which a later snapshot has spoken: a new version, gone, or a duplicate."""
    from pyspark.sql import functions as F

    later = F.col("snapshot") > snapshot
    documents = store.read(DOCUMENTS)
    versions = documents.where(later).select("uri_id")
    gone = store.read(FETCHES).where(later & F.col("verdict").isin(*LEFT)).select("uri_id")
    duplicates = _duplicates(store).where(later).select("doc_id")
    same = documents.where(F.col("snapshot") == snapshot)
    overtaken = same.join(duplicates, "doc_id", "left_semi").select("uri_id")
    return versions.union(gone).union(overtaken).distinct()


def _duplicates(store: Store) -> DataFrame:
    from pyspark.sql import functions as F

    return store.read(CLUSTERS).where(F.col("doc_id") != F.col("survivor"))


def _leaving(store: Store, snapshot: str, unmasked: DataFrame, refused: DataFrame) -> DataFrame:
    """uri_ids of corpus rows, none of them newer than `snapshot`, that it removes."""
    from pyspark.sql import functions as F

    now = F.col("snapshot") == snapshot
    gone = store.read(FETCHES).where(now & F.col("verdict").isin(*LEFT)).select("uri_id")
    kept = store.read(DEDUPLICATED).where(now).select("uri_id")
    dropped = (
        store.read(DOCUMENTS).where(now).select("uri_id").join(kept, "uri_id", "left_anti")
    )  # fmt: skip
    duplicates = _duplicates(store).where(now).select("doc_id")
    pages = gone.union(dropped).union(unmasked).distinct().withColumn("_page", F.lit(True))
    documents = refused.union(duplicates).distinct().withColumn("_document", F.lit(True))
    corpus = store.read(CORPUS).where(F.col("snapshot") <= snapshot).select("uri_id", "doc_id")
    found = corpus.join(pages, "uri_id", "left").join(documents, "doc_id", "left")
    return found.where("_page OR _document").select("uri_id")
