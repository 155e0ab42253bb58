"""Real pages, served on loopback under their own URLs, through the same job functions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from etl.crawl.config import CrawlConfig
from etl.crawl.snapshot import crawl_snapshot
from etl.extract.evaluate import article_score
from etl.extract.job import ExtractConfig, extract_snapshot
from etl.filter.config import FilterConfig
from etl.filter.job import filter_snapshot
from etl.licence.ledger import ledger_snapshot
from etl.licence.policy import LicenceConfig, load_policy
from etl.sample_site.mirror import serve_mirror
from etl.tables.store import Store
from schemas.tables import DOCUMENTS, FETCHES, FRONTIER

pytestmark = pytest.mark.spark
SNAPSHOT = "2026-01-01"


def test_article_f1_through_the_graph(store: Store, sample_data: Path, tmp_path: Path) -> None:
    web = sample_data / "web"
    truth = json.loads(gzip.decompress((web / "article_ground_truth.json.gz").read_bytes()))
    pages = {
        entry["url"]: gzip.decompress((web / "pages" / name).read_bytes())
        for name, entry in truth.items()
    }
    warc_root = str(tmp_path / "warc")
    with serve_mirror(pages) as mirror:
        config = CrawlConfig(
            contact="https://example.org/bot",
            delay_seconds=0,
            max_depth=0,
            max_bytes=20_000_000,
            allow_private_addresses=True,
            host_map=mirror.host_map,
        )
        seeds = list(mirror.seeds)
        crawled = crawl_snapshot(store, warc_root, seeds, "news", SNAPSHOT, config)
        again = crawl_snapshot(store, warc_root, seeds, "news", "2026-01-02", config)
    assert crawled.extra["changed"] == len(pages)
    assert again.extra["changed"] == 0
    assert again.extra["unchanged"] == len(pages)
    assert store.read(FRONTIER).count() >= len(pages)
    assert store.read(FETCHES).where("verdict = 'fetched'").count() == len(pages)
    extract_snapshot(store, warc_root, SNAPSHOT, ExtractConfig()).require_reconciled()
    texts = {row["url"]: row["text"] for row in store.read(DOCUMENTS).collect()}
    urls = dict(zip(pages, mirror.seeds, strict=True))
    score = article_score(
        (entry["text"], texts.get(urls[entry["url"]], "")) for entry in truth.values()
    )
    assert score.f1 >= 0.94
    ledger_snapshot(store, SNAPSHOT, load_policy(LicenceConfig(unknown="allow")))
    report = filter_snapshot(store, SNAPSHOT, FilterConfig())
    assert report.require_reconciled().kept > 0
