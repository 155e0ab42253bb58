"""Where a commoncrawl source's records lie: a folder a selection, which its partitions point to.

A fetch that broke off goes on in the same folder, also under the next partition's name.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.sources.config import CommonCrawlSource, range_config
from schemas.errors import InputError
from schemas.identity import config_hash
from schemas.report import JobReport

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from etl.tables.store import Store
    from orchestration.profile import Profile

SELECTION = "selection_hash"


def selection_hash(source: CommonCrawlSource, profile: Profile) -> str:
    """Changes when other records are chosen, or they would lie in other files."""
    config = range_config(source, profile)
    chosen = {"index": source.index, "selection": dataclasses.asdict(source.selection)}
    return config_hash(chosen | {"shares": config.shares, "warc_bytes": config.warc_bytes})


def records_folder(source: CommonCrawlSource, profile: Profile, partition: str) -> Path:
    """Of a partition that was materialised. Raises `InputError` for one that was not."""
    note = _note(source, profile, partition)
    if not note.exists():
        raise InputError(f"{note}: no such partition; materialise source {source.name} first")
    return profile.source_folder(source.name) / str(json.loads(note.read_text())[SELECTION])


def _note(source: CommonCrawlSource, profile: Profile, partition: str) -> Path:
    return profile.source_folder(source.name) / "partitions" / f"{partition}.json"


def fetch(store: Store, source: CommonCrawlSource, profile: Profile, partition: str) -> JobReport:
    """Brings the records of the selection; the partition is noted first, and stays with it."""
    from etl.commoncrawl import fetch_records

    note, wanted = _note(source, profile, partition), selection_hash(source, profile)
    note.parent.mkdir(parents=True, exist_ok=True)
    if note.exists() and json.loads(note.read_text())[SELECTION] != wanted:
        raise InputError(
            f"partition {partition} of source {source.name} holds another selection; what is "
            "chosen now comes as a partition of its own: add one, or wait for the schedule"
        )
    staging = note.with_suffix(".tmp")
    staging.write_text(json.dumps({SELECTION: wanted}))
    staging.rename(note)
    out = profile.source_folder(source.name) / wanted
    report = fetch_records(
        store.spark, source.index, str(out), source.selection, range_config(source, profile)
    )
    if not report.kept:
        raise InputError(
            f"source {source.name}: of {report.rows_in} records that the selection chooses from "
            f"{source.index} none came; correct the selection, or see {out}/_records for why"
        )
    unchanged = _had_before(store.spark, out)
    report.extra |= {
        "pages": report.kept,
        "bytes": report.bytes_in,
        "changed": report.kept - unchanged,
        "unchanged": unchanged,
        SELECTION: wanted,
    }
    return report


def _had_before(spark: SparkSession, out: Path) -> int:
    """Records that another selection had brought before, with the same bytes."""
    others = [path for path in sorted(out.parent.glob("*/_records")) if path.parent != out]
    mine = out / "_records"
    if not others:
        return 0
    names = ["url", "content_digest"]

    def kept(*paths: Path) -> DataFrame:
        rows = spark.read.parquet(*(path.as_uri() for path in paths))
        return rows.where("verdict = 'kept'").select(*names)

    return kept(mine).join(kept(*others).distinct(), names, "left_semi").count()
