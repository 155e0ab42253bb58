"""What a partition brought, counted again from what lies there and not from what was reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestration.sources import batches
from orchestration.sources.commoncrawl import records_folder
from orchestration.sources.config import CommonCrawlSource, FilesSource, Source, WebSource
from orchestration.sources.naming import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

    from etl.tables.store import Store
    from orchestration.profile import Profile

Counts = dict[str, int]
_VISITED = ("fetched", "not_modified", "sitemap")


def recount(
    open_store: Callable[[], Store], source: Source, profile: Profile, partition: str
) -> Counts:
    """`rows_in` as the plan, journal or batch has it; `kept`, `rejected` and `quarantined` as the
    tables and files have it."""
    match source:
        case WebSource():
            return _web(open_store(), source, profile, partition)
        case CommonCrawlSource():
            return _commoncrawl(open_store(), source, profile, partition)
        case FilesSource():
            batch = batches.read_batch(profile.source_folder(source.name), partition)
            good = len(batches.verified(batch, profile.s3))
            rejected = len(batch.files) - good
            return {"rows_in": len(batch.files), "kept": good, "rejected": rejected}
        case _:
            return _platforms(open_store(), source, profile)


def _web(store: Store, source: Source, profile: Profile, partition: str) -> Counts:
    from pathlib import Path

    from etl.crawl.commit import journal_rows
    from etl.crawl.job import journal_path
    from schemas.tables import FETCHES

    snapshot = snapshot_of(source.name, partition)
    journal = journal_path(Path(profile.crawl_root) / snapshot, source.name)
    rows = store.read(FETCHES)
    rows = rows.where((rows["snapshot"] == snapshot) & (rows["source"] == source.name))
    counted = _by(rows, "verdict")
    kept = sum(counted.get(verdict, 0) for verdict in _VISITED)
    decided = journal_rows(store, journal).select("uri_id").distinct().count()
    return {"rows_in": decided, "kept": kept, "rejected": sum(counted.values()) - kept}


def _commoncrawl(
    store: Store, source: CommonCrawlSource, profile: Profile, partition: str
) -> Counts:
    out = records_folder(source, profile, partition)
    planned = json.loads((out / "_work" / "plan.json").read_text())["records"]
    return {"rows_in": planned} | _by(
        store.spark.read.parquet((out / "_records").as_uri()), "verdict"
    )


def _platforms(store: Store, source: Source, profile: Profile) -> Counts:
    """Of the last run: each item of its journal is in the table, with the same verdict."""
    from etl.platforms.job import media_rows
    from schemas.tables import MEDIA

    journal = profile.source_folder(source.name) / "media" / f"{source.name}.journal.jsonl"
    items = media_rows(store, journal).select("uri_id", "verdict")
    table = store.read(MEDIA).select("uri_id", "verdict")
    placed = table.join(items, ["uri_id", "verdict"], "left_semi")
    return {"rows_in": items.count()} | _by(placed, "verdict")


def _by(rows: DataFrame, column: str) -> Counts:
    return {row[column]: row["count"] for row in rows.groupBy(column).count().collect()}
