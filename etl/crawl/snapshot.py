"""`crawl_snapshot`: one crawl of one source into WARC, the fetch log and the frontier."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.crawl.commit import commit_fetches, commit_frontier
from etl.crawl.config import CrawlConfig
from etl.crawl.job import CrawlOrder, journal_path
from etl.crawl.journal import finished_under
from etl.crawl.urls import UrlRefusedError, canonical_url
from etl.storage.config import S3Config
from etl.storage.location import Location, is_s3
from etl.storage.upload import upload_folder
from schemas.errors import InputError, StepError
from schemas.identity import config_hash
from schemas.report import JobReport
from schemas.tables import FETCHES, FRONTIER

if TYPE_CHECKING:
    from etl.tables.store import Store

_NAME = re.compile(r"[0-9A-Za-z._-]+")
_KEPT = ("fetched", "not_modified", "sitemap")


def crawl_snapshot(
    store: Store,
    warc_root: str,
    seeds: Sequence[str],
    source: str,
    snapshot: str,
    config: CrawlConfig,
    *,
    archive: str = "",
    s3: S3Config | None = None,
) -> JobReport:
    """Crawls `seeds` and all that is known of `source`; commits FETCHES and FRONTIER.

    WARC files and the journal lie in `<warc_root>/<snapshot>/` (a folder that Spark's workers see
    too), named after the source. A crawl that was killed resumes; one that finished under the
    same seeds and settings is not repeated, its tables are committed again, which changes
    nothing. Kept are `fetched`, `not_modified` and `sitemap`; other verdicts count as rejected.

    With an `s3://` `archive`, the WARC files are uploaded to `<archive>/<snapshot>/` when the crawl
    is done and before its tables say so; what an upload had sent is not sent again.

    Raises `InputError` for bad arguments, `StepError` when the crawl failed part-way.
    """
    started = time.monotonic()
    canonical = _check(warc_root, seeds, source, snapshot, config)
    folder = Path(warc_root).resolve() / snapshot
    journal = journal_path(folder, source)
    settings = {"config": asdict(config), "seeds": sorted(canonical), "source": source}
    run_hash = config_hash(settings | {"snapshot": snapshot})
    if finished_under(journal, run_hash) is None:
        _require_newest(store, source, snapshot)
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / f"{source}.known"
        _write_known(store, source, snapshot, config.max_failures, known)
        order = CrawlOrder(
            folder=str(folder), source=source, snapshot=snapshot, seeds=canonical,
            known=str(known), run_hash=run_hash, config=asdict(config),
        )  # fmt: skip
        _run_worker(order, folder / f"{source}.order.json")
    end = finished_under(journal, run_hash)
    if end is None:
        raise StepError(f"{journal}: the crawl did not finish; run it again to resume it")
    warc = str(folder)
    if is_s3(archive):
        place = Location.parse(archive).child(snapshot)
        upload_folder(folder, place, s3 or S3Config(), f"{source}-*.warc.gz")
        warc = str(place)
    commit_fetches(store, journal, source, snapshot)
    commit_frontier(store, journal, source, snapshot, config)
    report = _report(store, source, snapshot, end)
    report.outputs = {
        "fetches": store.path(FETCHES), "frontier": store.path(FRONTIER), "warc": warc
    }  # fmt: skip
    report.seconds = time.monotonic() - started
    return report.require_reconciled()


def _check(
    warc_root: str, seeds: Sequence[str], source: str, snapshot: str, config: CrawlConfig
) -> tuple[str, ...]:
    for name, value in (("source", source), ("snapshot", snapshot)):
        if not _NAME.fullmatch(value) or value.startswith("."):
            raise InputError(f"{name} {value!r}: use letters, digits, '.', '_' and '-' only")
    if not config.contact:
        raise InputError("crawl.contact is empty; set a URL or e-mail that site owners can reach")
    if "://" in warc_root:
        raise InputError(
            f"{warc_root}: WARC files are written to a folder and then uploaded; name a folder, "
            "and give s3:// as the archive"
        )
    if not seeds:
        raise InputError("no seeds; give at least one URL")
    canonical: dict[str, None] = {}
    for number, seed in enumerate(seeds, 1):
        try:
            canonical[canonical_url(seed, config.drop_parameters)] = None
        except UrlRefusedError as error:
            raise InputError(f"seed {number} {seed[:200]!r}: {error}; correct it") from None
    return tuple(canonical)


def _require_newest(store: Store, source: str, snapshot: str) -> None:
    from pyspark.sql import functions as F

    rows = store.read(FRONTIER).where(F.col("source") == source)
    newest = rows.agg(F.max("last_visit").alias("newest")).first()
    if newest is not None and newest["newest"] is not None and newest["newest"] > snapshot:
        raise InputError(
            f"snapshot {snapshot} of {source} is older than its last visit {newest['newest']}; "
            "a crawl cannot go back: use a later name"
        )


def _write_known(store: Store, source: str, snapshot: str, max_failures: int, folder: Path) -> None:
    """What the frontier knows of the source's pages, each with its turn in this snapshot."""
    from pyspark.sql import functions as F

    columns = (
        "url", "host", "depth", "etag", "last_modified", "content_sha256", "priority"
    )  # fmt: skip
    turn = (
        F.when(F.col("failures") >= max_failures, "resting")
        .when(F.col("next_visit") > snapshot, "skipped")
        .otherwise("due")
    )
    # Sitemaps are found anew through robots.txt.
    rows = store.read(FRONTIER).where((F.col("source") == source) & (F.col("state") != "sitemap"))
    rows.select(*columns, turn.alias("turn")).write.mode("overwrite").json(str(folder))


def _run_worker(order: CrawlOrder, path: Path) -> None:
    """Runs the crawl in its own process, passing its stderr on. The process ends with this one."""
    order.write(path)
    command = [sys.executable, "-m", "etl.crawl.worker", str(path)]
    root = Path(__file__).resolve().parents[2]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    last = ""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        try:
            for line in process.stderr or ():
                sys.stderr.write(line)
                last = line.strip() or last
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
    if process.returncode:
        raise StepError(f"crawl of {order.source}: {last or process.returncode}; run it again")


def _report(store: Store, source: str, snapshot: str, end: dict[str, Any]) -> JobReport:
    from pyspark.sql import functions as F

    rows = store.read(FETCHES).where((F.col("snapshot") == snapshot) & (F.col("source") == source))
    counted = rows.groupBy("verdict").agg(F.count("*").alias("n"), F.sum("bytes").alias("bytes"))
    verdicts = {row["verdict"]: (row["n"], row["bytes"]) for row in counted.collect()}
    counts = {name: n for name, (n, _) in sorted(verdicts.items())}
    size = sum(total for _, total in verdicts.values())
    kept = sum(counts.get(name, 0) for name in _KEPT)
    return JobReport(
        verb="crawl",
        rows_in=end["decided"],
        kept=kept,
        rejected={f"crawl.{n}": c for n, c in counts.items() if n not in _KEPT},
        bytes_in=size,
        extra={
            "pages": counts.get("fetched", 0) + counts.get("not_modified", 0),
            "bytes": size,
            "changed": counts.get("fetched", 0),
            "unchanged": counts.get("not_modified", 0),
            "gone": counts.get("gone", 0),
            "redirected": counts.get("redirected", 0),
            "blocked_by_robots": counts.get("denied_robots", 0),
            "blocked_by_opt_out": counts.get("opted_out", 0),
            "waiting": end["waiting"],
            "not_due": end["skipped"],
        },
    )
