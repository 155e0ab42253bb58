"""Real pages, served on loopback under their own URLs, through the same job functions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

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
from orchestration.assets import crawl
from orchestration.partitions import SNAPSHOTS
from orchestration.resources import StoreResource
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


def test_crawled_twice_the_second_costs_next_to_nothing(
    spark: Any, sample_data: Path, tmp_path: Path
) -> None:
    """All real pages through the asset `crawl`: the figures are those that the UI shows."""
    files = sorted((sample_data / "web" / "pages").glob("*.html.gz"))
    pages = {
        f"http://host{number}.example/page": gzip.decompress(file.read_bytes())
        for number, file in enumerate(files)
    }
    with serve_mirror(pages) as mirror, dg.DagsterInstance.ephemeral() as instance:
        settings = {
            "contact": "https://example.org/bot", "delay_seconds": 0, "max_depth": 0,
            "max_bytes": 20_000_000, "allow_private_addresses": True,
            "host_map": mirror.host_map, "obey_opt_outs": [],
        }  # fmt: skip
        profile = tmp_path / "profile.yaml"
        content = {"name": "real", "home": str(tmp_path / "home"), "source": "real"}
        content |= {"crawl": {"seeds": list(mirror.seeds), "config": settings}}
        profile.write_text(yaml.safe_dump(content))
        first, second = (
            _materialized(instance, profile, day) for day in ("2026-01-01", "2026-01-02")
        )
    assert first["changed"] == first["pages"] == second["unchanged"] == len(pages)
    assert second["changed"] == 0
    assert first["bytes"] >= sum(map(len, pages.values())) / 20  # they may come compressed
    assert second["bytes"] <= first["bytes"] / 100
    assert {"funnel", "funnel_plot", "blocked_by_robots", "seconds"} <= set(first)


def _materialized(instance: dg.DagsterInstance, profile: Path, day: str) -> dict[str, Any]:
    instance.add_dynamic_partitions(str(SNAPSHOTS.name), [day])
    foundry = StoreResource(profile=str(profile))
    done = dg.materialize(
        [crawl], partition_key=day, instance=instance, resources={"foundry": foundry}
    )
    [event] = done.asset_materializations_for_node("crawl")
    return {name: value.value for name, value in event.metadata.items()}
