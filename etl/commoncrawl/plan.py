"""The plan of a share: the chosen records in the order of the archive, and where each will lie.

A record's place in our WARC file follows from the lengths in the index, so that records are
written in the order in which they arrive and the file comes out the same each time.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.reader import is_safe_path
from etl.crawl.warc import header_block, record, record_id

PLAN_COLUMNS = (
    "crawl", "subset", "url", "fetch_time", "fetch_status", "content_digest",
    "content_mime_detected", "content_languages", "warc_filename", "warc_record_offset",
    "warc_record_length",
)  # fmt: skip
"""Columns of cc-index-table that go with a record."""
TOO_LARGE = "commoncrawl.too_large"


@dataclass(frozen=True, slots=True)
class Planned:
    """A chosen record: its number in the share and its place in the archive, as the index says.

    `verdict` is `fetch`, `rejected` or `quarantined` (a place that cannot be). `file` and `at` are
    its place in our WARC files while they are written.
    """

    number: int
    url: str
    digest: str | None
    path: str
    offset: int
    length: int
    verdict: str
    file: int
    at: int

    @property
    def end(self) -> int:
        return self.offset + self.length


def share_files(plan: Path, share: int) -> list[Path]:
    """The Parquet files of a share's plan; none for a share without records."""
    return sorted((plan / f"share={share}").glob("*.parquet"))


def plan_batches(plan: Path, share: int) -> Iterator[pa.RecordBatch]:
    """The share's rows of the index, in the order of the archive."""
    for path in share_files(plan, share):
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            yield from file.iter_batches(batch_size=4_096)


def planned(plan: Path, share: int, config: RangeConfig, max_bytes: int) -> Iterator[Planned]:
    """Every record of the share, each with its place."""
    number, file, at = 0, 0, len(warc_head(share, 0))
    columns = ("url", "content_digest", "warc_filename", "warc_record_offset", "warc_record_length")
    for batch in plan_batches(plan, share):
        values = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
        for url, digest, path, offset, length in values:
            verdict = _verdict(path, offset, length, max_bytes)
            size = length if verdict == "fetch" else 0
            if at + size > config.warc_bytes and at > len(warc_head(share, file)):
                file, at = file + 1, len(warc_head(share, file + 1))
            yield Planned(number, url, digest, path, offset, length, verdict, file, at)
            number, at = number + 1, at + size


def _verdict(path: str | None, offset: int | None, length: int | None, max_bytes: int) -> str:
    if path is None or not is_safe_path(path) or offset is None or offset < 0 or not length:
        return "quarantined"
    if length < 1:
        return "quarantined"
    return "rejected" if length > max_bytes else "fetch"


def warc_name(share: int, file: int) -> str:
    return f"commoncrawl-{share:05d}-{file:05d}.warc.gz"


@functools.lru_cache
def warc_head(share: int, file: int) -> bytes:
    """The warcinfo record that each of our files begins with; always the same bytes."""
    name = warc_name(share, file)
    block = header_block(
        "software: token-foundry",
        [("description", "records of Common Crawl, fetched by range, bytes unchanged")],
    )[:-2]
    fields = (
        ("WARC-Type", "warcinfo"),
        ("WARC-Record-ID", record_id("warcinfo", name)),
        ("WARC-Date", "1970-01-01T00:00:00Z"),  # the records carry their own dates
        ("WARC-Filename", name),
        ("Content-Type", "application/warc-fields"),
    )
    return record(fields, block)


def coalesced(rows: Iterator[Planned], gap: int, most: int) -> Iterator[list[Planned]]:
    """Records to fetch, grouped into requests: neighbours in a file, at most `gap` bytes apart and
    together at most `most` bytes."""
    group: list[Planned] = []
    for row in rows:
        last = group[-1] if group else None
        if (
            last is not None
            and row.path == last.path
            and 0 <= row.offset - last.end <= gap
            and row.end - group[0].offset <= most
        ):
            group.append(row)
            continue
        if group:
            yield group
        group = [row]
    if group:
        yield group
