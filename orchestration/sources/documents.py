"""From what a source brought to the documents of its snapshot."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orchestration.sources import batches
from orchestration.sources.acquire import source_column
from orchestration.sources.commoncrawl import records_folder
from orchestration.sources.config import (
    CommonCrawlSource,
    FilesSource,
    Source,
    WebSource,
    load_sources,
)
from orchestration.sources.naming import Origin
from schemas.errors import InputError
from schemas.report import JobReport

if TYPE_CHECKING:
    from etl.ingest.config import IngestConfig
    from etl.tables.store import Store
    from orchestration.profile import Profile


def has_documents(source: Source) -> bool:
    """Whether its partitions become snapshots. Media have no text yet."""
    return isinstance(source, WebSource | CommonCrawlSource | FilesSource)


def source_documents(store: Store, profile: Profile, snapshot: str, origin: Origin) -> JobReport:
    """The documents of a snapshot that a source's partition gave. Raises `InputError` when the
    profile has no such source any more."""
    sources = load_sources(profile)
    source = sources.get(origin.source)
    if source is None or not has_documents(source):
        file = profile.sources or "the profile"
        raise InputError(
            f"snapshot {snapshot} is of source {origin.source}, of which {file} says nothing; put "
            f"it back, or choose a snapshot of: {', '.join(sources)}"
        )
    match source:
        case CommonCrawlSource():
            from etl.commoncrawl import ingest_records

            folder = records_folder(source, profile, origin.partition)
            reading = _reading(source, profile)
            return ingest_records(store, str(folder), reading, snapshot, profile.extract)
        case FilesSource():
            from etl.ingest.job import ingest_snapshot

            batch = batches.read_batch(profile.source_folder(source.name), origin.partition)
            files = batches.verified(batch, profile.s3)
            reading = _reading(source, profile)
            return ingest_snapshot(store, files, reading, snapshot, profile.extract)
        case _:
            from etl.extract.job import extract_snapshot

            return extract_snapshot(store, profile.warc_root, snapshot, profile.extract, profile.s3)


def _reading(source: CommonCrawlSource | FilesSource, profile: Profile) -> IngestConfig:
    from etl.ingest.config import IngestConfig

    reading = IngestConfig(
        source=source_column(source, profile),
        max_record_bytes=profile.extract.max_bytes,
        s3=profile.s3,
        formats=profile.extract.formats,
    )
    if isinstance(source, CommonCrawlSource):
        return reading
    return dataclasses.replace(
        reading,
        field_map=source.field_map,
        card=source.card,
        licence=source.licence,
        citation=source.citation,
        config=source.configuration,
        split=source.split,
    )
