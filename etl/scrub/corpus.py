"""The corpus step: a snapshot's unique documents masked and merged into the current corpus."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
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
    refused, *facts = _computed(
        refused_documents(store, rows.select("doc_id")), *_said_since(store, snapshot)
    )
    commit = store.merge(
        CORPUS,
        rows.join(_decided_later(snapshot, *facts), "uri_id", "left_anti").join(
            refused, "doc_id", "left_anti"
        ),
        when_changed=CHANGED,
        delete=_leaving(store, snapshot, unmasked, refused, *facts),
    )
    counted = {name: f"numTargetRows{name.capitalize()}" for name in _DONE}
    done = {name: int(commit.metrics.get(metric, 0)) for name, metric in counted.items()}
    return {**done, "corpus_version": commit.version}


def _computed(*frames: DataFrame) -> list[DataFrame]:
    """Small frames, computed together: what is made of them has no scans left to plan."""
    with ThreadPoolExecutor(len(frames)) as pool:
        return list(pool.map(lambda frame: frame.localCheckpoint(), frames))


def _said_since(store: Store, snapshot: str) -> tuple[DataFrame, DataFrame, DataFrame]:
    """What `snapshot` and later ones say: versions (snapshot, uri_id, doc_id), pages that are gone
    (snapshot, uri_id), documents that are duplicates (snapshot, doc_id)."""
    from pyspark.sql import functions as F

    since = F.col("snapshot") >= snapshot
    left = since & F.col("verdict").isin(*LEFT)
    duplicate = since & (F.col("doc_id") != F.col("survivor"))
    return (
        store.read(DOCUMENTS).where(since).select("snapshot", "uri_id", "doc_id"),
        store.read(FETCHES).where(left).select("snapshot", "uri_id"),
        store.read(CLUSTERS).where(duplicate).select("snapshot", "doc_id"),
    )


def _decided_later(
    snapshot: str, versions: DataFrame, gone: DataFrame, duplicates: DataFrame
) -> DataFrame:
    """uri_ids about which a later snapshot has spoken: a new version, gone, or a duplicate."""
    from pyspark.sql import functions as F

    later = F.col("snapshot") > snapshot
    same = versions.where(F.col("snapshot") == snapshot)
    overtaken = same.join(duplicates.where(later), "doc_id", "left_semi")
    found = versions.where(later).select("uri_id").union(gone.where(later).select("uri_id"))
    return found.union(overtaken.select("uri_id")).distinct()


def _leaving(
    store: Store,
    snapshot: str,
    unmasked: DataFrame,
    refused: DataFrame,
    versions: DataFrame,
    gone: DataFrame,
    duplicates: DataFrame,
) -> DataFrame:
    """uri_ids of corpus rows, none of them newer than `snapshot`, that it removes."""
    from pyspark.sql import functions as F

    now = F.col("snapshot") == snapshot
    kept = store.read(DEDUPLICATED).where(now).select("uri_id")
    dropped = versions.where(now).select("uri_id").join(kept, "uri_id", "left_anti")
    pages = gone.where(now).select("uri_id").union(dropped).union(unmasked).distinct()
    documents = refused.union(duplicates.where(now).select("doc_id")).distinct()
    corpus = store.read(CORPUS).where(F.col("snapshot") <= snapshot).select("uri_id", "doc_id")
    found = corpus.join(pages.withColumn("_page", F.lit(True)), "uri_id", "left").join(
        documents.withColumn("_document", F.lit(True)), "doc_id", "left"
    )
    return found.where("_page OR _document").select("uri_id")
