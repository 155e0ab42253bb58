"""`fetch_records`: records chosen from the index into WARC files of ours, all accounted for."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from etl.commoncrawl.config import RangeConfig, Selection
from etl.commoncrawl.fetch import ShareFetch, ShareOrder
from etl.commoncrawl.finish import finish_share, mark_done, read_done
from etl.commoncrawl.plan import TOO_LARGE, share_files
from etl.commoncrawl.reader import OpenReader, open_reader, require_reader
from etl.commoncrawl.select import select_records, write_plan
from etl.commoncrawl.tasks import Counts, run_shares, telling_progress
from schemas.errors import InputError
from schemas.identity import config_hash
from schemas.report import JobReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def fetch_records(
    spark: SparkSession,
    index: str,
    out: str,
    selection: Selection,
    config: RangeConfig,
    open_with: OpenReader = open_reader,
) -> JobReport:
    """Fetches the records of `index` (a folder or URI that Spark reads) that `selection` chooses.

    OUT/warc holds them byte for byte, one gzip member each; OUT/_records has a row for each chosen
    record: the index's columns, the verdict (kept, rejected, quarantined) with its reason, and
    where it lies in OUT/warc. Killed anywhere and run again it goes on, and what is there is not
    fetched again; `out` must be a folder that all of Spark's workers see.

    Raises `InputError` for a bad index or an `out` of another selection, `StepError` when the
    server stopped answering.
    """
    started = time.monotonic()
    if "://" in out:
        raise InputError(f"{out}: WARC files are written to a folder, then copied; name one")
    require_reader(open_with, config)
    folder = Path(out).absolute()
    total = _planned(spark, index, folder, selection, config)

    def work(share: int) -> Counts:
        order = ShareOrder(
            out=str(folder),
            share=share,
            config=config,
            max_record_bytes=selection.max_record_bytes,
        )
        return fetch_share(order, open_with)

    with telling_progress(folder / "_work", total, "records"):
        counts = run_shares(spark, config.shares, work)
    too_large = counts.get("rejected", 0)
    return JobReport(
        verb="commoncrawl",
        rows_in=total,
        kept=counts.get("kept", 0),
        rejected={TOO_LARGE: too_large} if too_large else {},
        quarantined=counts.get("quarantined", 0),
        bytes_in=counts.get("bytes", 0),
        seconds=time.monotonic() - started,
        outputs={"warc": str(folder / "warc"), "records": str(folder / "_records")},
        extra={"requests": counts.get("requests", 0)},
    ).require_reconciled()


def fetch_share(order: ShareOrder, open_with: OpenReader = open_reader) -> Counts:
    """One share, fetched and made whole; a share that is whole is left alone."""
    if not share_files(order.plan, order.share):
        return {}
    done = read_done(order)
    if done is not None:
        return done | {"requests": 0}
    state = asyncio.run(ShareFetch(order).run(open_with))
    counts = finish_share(order, state)
    mark_done(order, counts)
    return counts


def _planned(
    spark: SparkSession, index: str, folder: Path, selection: Selection, config: RangeConfig
) -> int:
    """Makes the plan, once; how many records it holds."""
    plan, note = folder / "_work" / "plan", folder / "_work" / "plan.json"
    layout = {"shares": config.shares, "warc_bytes": config.warc_bytes}
    run_hash = config_hash({"index": index, "selection": asdict(selection), **layout})
    if note.exists():
        known = json.loads(note.read_text())
        if known["run_hash"] != run_hash:
            raise InputError(f"{folder}: holds another selection or layout; name another folder")
        return int(known["records"])
    rows = select_records(spark, index, selection)
    if folder.is_dir() and any(entry.name != "_work" for entry in folder.iterdir()):
        raise InputError(f"{folder}: holds files of others; name another folder")
    plan.parent.mkdir(parents=True, exist_ok=True)
    write_plan(rows, plan.as_uri(), config.shares)
    files = [path for share in range(config.shares) for path in share_files(plan, share)]
    records = sum(pq.read_metadata(path).num_rows for path in files)
    staging = note.with_suffix(".tmp")
    staging.write_text(json.dumps({"run_hash": run_hash, "records": records}))
    staging.rename(note)
    return records
