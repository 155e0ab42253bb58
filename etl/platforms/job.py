"""`collect_media`: lists, channels and single URLs into files, and one row an item."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from etl.crawl.journal import finished_under, read_journal
from etl.platforms.config import PlatformConfig
from etl.platforms.order import Order
from etl.platforms.row import Task
from etl.platforms.supervise import supervise
from schemas.errors import InputError, StepError
from schemas.identity import config_hash
from schemas.report import JobReport
from schemas.spec import spark_type
from schemas.tables import MEDIA

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store


def collect_media(
    store: Store,
    media_root: str,
    urls: Iterable[str | Task],
    source: str,
    config: PlatformConfig,
) -> JobReport:
    """Visits `urls` (channels, playlists, pages, files) and MERGEs one row an item into MEDIA.

    Files lie below `media_root`. A run that was killed resumes where it was, in the middle of a
    file too; after a finished one, items that were taken are not asked for again, all others are
    tried anew. `left_out` in the report counts what `max_items` left out, of a list at least 1.
    Raises `InputError` for bad arguments, `StepError` when the run failed part-way.
    """
    started = time.monotonic()
    tasks = tuple(Task(url=one) if isinstance(one, str) else one for one in urls)
    _check(media_root, tasks, config)
    root = Path(media_root).resolve()
    root.mkdir(parents=True, exist_ok=True)
    journal = root / f"{source}.journal.jsonl"
    settings = asdict(config)
    order = Order(
        root=str(root), source=source, journal=str(journal), restarted=False, config=settings,
        config_hash=config_hash(settings), tasks=tasks,
        run_hash=config_hash({"config": settings, "tasks": [asdict(one) for one in tasks]}),
    )  # fmt: skip
    _begin(journal, order.run_hash)
    if finished_under(journal, order.run_hash) is None:
        supervise(order, root / f"{source}.order.json", config.item_timeout_seconds)
    end = finished_under(journal, order.run_hash)
    if end is None:
        raise StepError(f"{journal}: the run did not finish; run it again to resume it")
    commit_media(store, journal)
    _marker(journal).unlink(missing_ok=True)
    report = _report(journal)
    report.rows_in = end["items"]
    report.extra["left_out"] = end["left_out"]
    report.outputs = {"media": store.path(MEDIA), "files": str(root)}
    report.seconds = time.monotonic() - started
    return report.require_reconciled()


def _check(media_root: str, tasks: Sequence[Task], config: PlatformConfig) -> None:
    if not config.contact:
        raise InputError(
            "platforms.contact is empty; set a URL or e-mail that site owners can reach"
        )
    if "://" in media_root:
        raise InputError(f"{media_root}: media are written to a folder, then copied; name one")
    if not tasks:
        raise InputError("no URLs; give at least one")


def _marker(journal: Path) -> Path:
    """Names the run whose journal is not in the table yet."""
    return journal.with_name(f"{journal.name}.run")


def _begin(journal: Path, run_hash: str) -> None:
    """Keeps the journal of the same order, if it was not committed; any other makes way."""
    marker = _marker(journal)
    if marker.exists() and marker.read_text(encoding="ascii") == run_hash:
        return
    journal.unlink(missing_ok=True)
    marker.write_text(run_hash, encoding="ascii")


def commit_media(store: Store, journal: Path) -> None:
    """MERGEs the rows of a journal. Run again, it changes nothing."""
    stable = [c.name for c in MEDIA.columns if not c.volatile and c.name not in MEDIA.key]
    differs = " OR ".join(f"NOT (old.{name} <=> new.{name})" for name in stable)
    store.merge(MEDIA, media_rows(store, journal), when_changed=differs)


def media_rows(store: Store, journal: Path) -> DataFrame:
    """The decided items of a journal, as rows of MEDIA."""
    from pyspark.sql.types import StructType

    fields = [("kind", "string"), *((c.name, spark_type(c.type)) for c in MEDIA.columns)]
    schema = {
        "type": "struct",
        "fields": [
            {"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in fields
        ],
    }
    reader = store.spark.read.schema(StructType.fromJson(json.loads(json.dumps(schema))))
    rows = reader.option("mode", "FAILFAST").json(str(journal))
    return rows.where(rows["kind"] == "fetch").select(*MEDIA.column_names)


def _report(journal: Path) -> JobReport:
    """Counts of a run, read from its journal line by line."""
    report = JobReport(verb="platforms")
    files = subtitles = size = unchanged = 0
    for entry in read_journal(journal):
        report.bytes_in += int(entry.get("downloaded") or 0)
        if entry["kind"] != "fetch":
            continue
        size += entry["bytes"]
        files += len(entry["files"])
        subtitles += len(entry["subtitles"])
        if entry["verdict"] == "kept":
            report.kept += 1
            unchanged += not entry.get("downloaded")  # its files were here before
        elif entry["verdict"] == "rejected":
            report.rejected[entry["rule"]] = report.rejected.get(entry["rule"], 0) + 1
        else:
            report.quarantined += 1
    report.rejected = dict(sorted(report.rejected.items()))
    report.extra = {"files": files, "subtitles": subtitles, "bytes": size, "unchanged": unchanged}
    return report
