"""A Common Crawl of our own on loopback, and shares of work without Spark."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.fetch import ShareOrder
from etl.commoncrawl.loopback import Archive, RangeServer, build_archive, serve_ranges
from etl.commoncrawl.plan import PLAN_COLUMNS

Row = dict[str, Any]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Archive:
    return build_archive(tmp_path_factory.mktemp("archive"), seed, pages=1_200)


@pytest.fixture
def server(archive: Archive) -> Iterator[RangeServer]:
    with serve_ranges(archive.root) as running:
        yield running


@pytest.fixture
def config(server: RangeServer) -> RangeConfig:
    """One range a record, and no long waits."""
    return RangeConfig(
        base_url=server.url,
        allow_private_addresses=True,
        gap_bytes=0,
        request_bytes=1,
        backoff_seconds=0.01,
        timeout_seconds=5,
        shares=1,
    )


@pytest.fixture
def pages(archive: Archive) -> list[Row]:
    """The index's rows of pages, in the order of the archive."""
    rows = [row for row in archive.rows if row["fetch_status"] == 200]
    return sorted(rows, key=lambda row: (row["warc_filename"], row["warc_record_offset"]))


@pytest.fixture
def share(tmp_path: Path) -> Callable[..., ShareOrder]:
    """Writes the plan of one share, as `write_plan` does, and gives its order."""

    def order(rows: list[Row], config: RangeConfig, **changes: Any) -> ShareOrder:
        folder = tmp_path / "out" / "_work" / "plan" / "share=0"
        folder.mkdir(parents=True, exist_ok=True)
        named = [{"crawl": "C", "subset": "warc"} | row for row in rows]
        columns = {name: [row.get(name) for row in named] for name in PLAN_COLUMNS}
        pq.write_table(pa.table(columns), folder / "part.parquet")
        changed = dataclasses.replace(config, **changes)
        return ShareOrder(
            out=str(tmp_path / "out"), share=0, config=changed, max_record_bytes=5_000_000
        )

    return order
