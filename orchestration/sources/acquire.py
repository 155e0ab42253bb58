"""What a partition of a source brings: one function a kind, each with the same counts.

The report's `extra` has `pages` (or files, records, items), `bytes`, `changed` (new ones too),
`unchanged`, `blocked_by_robots`, `blocked_by_opt_out`, `refused_by_licence`. What a text source
brought is judged by its licence in the asset `ledger`, of its snapshot.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orchestration.sources import batches, commoncrawl
from orchestration.sources.config import (
    LANDING,
    CommonCrawlSource,
    FilesSource,
    PlatformsSource,
    Source,
    WebSource,
    crawl_config,
    platform_config,
    range_config,
)
from orchestration.sources.naming import snapshot_of
from schemas.errors import InputError
from schemas.identity import config_hash
from schemas.report import JobReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.platforms.config import PlatformConfig
    from etl.platforms.row import Task
    from etl.tables.store import Store
    from orchestration.profile import Profile

COUNTS = (
    "pages", "bytes", "changed", "unchanged", "blocked_by_robots", "blocked_by_opt_out",
    "refused_by_licence",
)  # fmt: skip
LOST = frozenset({"blocked_by_robots", "blocked_by_opt_out", "refused_by_licence"})
REPLACED = "files.replaced"


def acquire(
    open_store: Callable[[], Store], source: Source, profile: Profile, partition: str
) -> JobReport:
    """Brings the bytes of a partition. Run again, it goes on or finds that all is there.

    Files need no Spark, and none is started. Raises `InputError` for a partition whose name could
    not become a snapshot's.
    """
    snapshot_of(source.name, partition)
    match source:
        case WebSource():
            report = _web(open_store(), source, profile, partition)
        case CommonCrawlSource():
            report = commoncrawl.fetch(open_store(), source, profile, partition)
        case FilesSource():
            report = _files(source, profile, partition)
        case PlatformsSource():
            report = _platforms(open_store(), source, profile)
    report.extra = dict.fromkeys(COUNTS, 0) | report.extra
    return report.require_reconciled()


def settings_hash(source: Source, profile: Profile) -> str:
    """The hash of all that a source is told, the profile's settings too."""
    resolved: object = None
    match source:
        case WebSource():
            resolved = dataclasses.asdict(crawl_config(source, profile))
        case CommonCrawlSource():
            resolved = dataclasses.asdict(range_config(source, profile))
        case PlatformsSource():
            resolved = dataclasses.asdict(platform_config(source, profile))
    return config_hash({"source": source.model_dump(mode="json"), "config": resolved})


def source_column(source: Source, profile: Profile) -> str:
    """The column `source` of its rows. What lands in HOME/landing belongs to the profile's own."""
    return profile.source if source.name == LANDING else source.name


def _web(store: Store, source: WebSource, profile: Profile, partition: str) -> JobReport:
    from etl.crawl.snapshot import crawl_snapshot

    return crawl_snapshot(
        store, profile.crawl_root, source.seeds, source.name, snapshot_of(source.name, partition),
        crawl_config(source, profile), archive=profile.warc_root, s3=profile.s3,
    )  # fmt: skip


def _files(source: FilesSource, profile: Profile, partition: str) -> JobReport:
    batch = batches.read_batch(profile.source_folder(source.name), partition)
    good = set(batches.verified(batch, profile.s3))
    if not good:
        raise InputError(
            f"batch {partition} of source {source.name}: every file was replaced since; as they "
            "are now they come in a later batch, and this one needs no run"
        )
    replaced = len(batch.files) - len(good)
    size = sum(file.size for file in batch.files if file.path in good)
    return JobReport(
        verb="files",
        rows_in=len(batch.files),
        kept=len(good),
        rejected={REPLACED: replaced} if replaced else {},
        bytes_in=size,
        extra={
            "pages": len(batch.files),
            "bytes": size,
            "changed": len(good),
            "unchanged": batch.unchanged,
        },
    )


def _platforms(store: Store, source: PlatformsSource, profile: Profile) -> JobReport:
    from etl.platforms import collect_media

    config = platform_config(source, profile)
    root = profile.source_folder(source.name) / "media"
    report = collect_media(store, str(root), _tasks(source, config), source.name, config)
    report.extra |= {
        "pages": report.rows_in,
        "bytes": report.bytes_in,
        "changed": report.kept - report.extra["unchanged"],
        "blocked_by_robots": report.rejected.get("platform.robots", 0),
        "blocked_by_opt_out": report.rejected.get("platform.opted_out", 0),
        "refused_by_licence": sum(
            count for rule, count in report.rejected.items() if rule.startswith("platform.licence")
        ),
    }
    return report


def _tasks(source: PlatformsSource, config: PlatformConfig) -> list[str | Task]:
    from etl.platforms import search_videos
    from orchestration.cli.crawl import read_seeds

    tasks: list[str | Task] = list(source.urls)
    if source.url_file:
        tasks += read_seeds(source.url_file)
    if source.search:
        tasks += search_videos(source.search, config, config.max_items).tasks
    if not tasks:
        raise InputError(
            f"source {source.name}: search {source.search!r} found no Creative Commons video"
        )
    return tasks
