"""Sources from where they lie to DOCUMENTS, through Dagster: a site, an archive, objects, media."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from etl.commoncrawl.loopback import build_archive, serve_ranges
from etl.sample_site import build_site
from etl.sample_site.server import serve
from etl.storage.client import s3_client
from etl.storage.location import Location
from etl.tables.store import Store
from orchestration.assets.web import documents_asset
from orchestration.definitions import defs
from orchestration.profile import load_profile
from orchestration.resources import StoreResource
from orchestration.sensors import arrived_snapshots, files_sensor
from orchestration.sources.acquire import acquire
from orchestration.sources.commoncrawl import fetch
from orchestration.sources.config import CommonCrawlSource, FilesSource, load_sources
from orchestration.sources.waiting import waiting
from schemas.errors import InputError
from schemas.report import JobReport
from schemas.tables import DOCUMENTS, FETCHES, MEDIA
from tests.etl.platforms.site import CC_BY_NC, mp4, served
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
NOW = datetime(2026, 1, 9, tzinfo=UTC)


class Deployment:
    """A profile's graph, run as its schedules and sensors would."""

    def __init__(self, spark: SparkSession, instance: dg.DagsterInstance) -> None:
        self.profile, self.instance = load_profile(), instance
        self.sources, self.loaded = load_sources(self.profile), defs()
        self.store = Store(spark, self.profile.store_root)

    def acquire(self, name: str, partition: str) -> dict[str, Any]:
        """Materialises a partition of a source; its metadata. The check beside it must pass."""
        ident = name.replace("-", "_")
        self.instance.add_dynamic_partitions(f"source_{ident}", [partition])
        job = self.loaded.resolve_job_def(f"source_{ident}")
        done = job.execute_in_process(instance=self.instance, partition_key=partition)
        (check,) = done.get_asset_check_evaluations()
        assert check.passed, check.metadata
        (event,) = done.asset_materializations_for_node(f"acquire_{ident}")
        return {key: value.value for key, value in event.metadata.items()}

    def land(self) -> list[str]:
        """What the arrivals sensor asks for, as far as its documents. The snapshots."""
        found = list(arrived_snapshots(self.instance, self.sources, NOW).values())
        for snapshot in found:
            self.instance.add_dynamic_partitions("snapshot", [snapshot])
            self.document(snapshot)
        return found

    def document(self, snapshot: str) -> None:
        dg.materialize(
            [documents_asset(self.sources)], partition_key=snapshot, instance=self.instance,
            resources={"foundry": StoreResource()},
        )  # fmt: skip

    def fetch(self, partition: str) -> JobReport:
        source = self.sources["cc-sample"]
        assert isinstance(source, CommonCrawlSource)
        return fetch(self.store, source, self.profile, partition)

    def rows(self, snapshot: str) -> dict[str, dict[str, Any]]:
        rows = self.store.read(DOCUMENTS)
        rows = rows.where(rows["snapshot"] == snapshot)
        return {row["url"]: row.asDict() for row in rows.collect()}


@pytest.fixture
def deployed(
    spark: SparkSession, instance: dg.DagsterInstance, make_profile: Callable[..., Any]
) -> Callable[..., Deployment]:
    def deploy(*sources: dict[str, Any], **more: Any) -> Deployment:
        settings = {"master": "local[2]", "shuffle_partitions": 2}
        make_profile(*sources, spark=settings, **more)
        return Deployment(spark, instance)

    return deploy


def test_a_site_becomes_documents(deployed: Callable[..., Deployment], seed: int) -> None:
    polite = {"delay_seconds": 0, "allow_private_addresses": True, "timeout_seconds": 3}
    with serve(build_site(seed, pages=100)) as server:
        limited = polite | {"max_pages": 40}
        web = {"name": "news", "kind": "web", "seeds": server.seeds, "config": limited}
        place = deployed(web)
        told = place.acquire("news", "2026-01-02")
    assert told["pages"] == told["changed"] > 10
    assert told["bytes"] > 5_000
    assert told["unchanged"] == 0
    assert told["rejected"] >= told["blocked_by_robots"] + told["blocked_by_opt_out"]
    assert "data:image/png" in told["acquired_plot"]
    assert waiting(place.instance, place.sources["news"]).arrived == ("2026-01-02",)
    assert place.land() == ["2026-01-02.news"]
    fetched = place.store.read(FETCHES).where("verdict = 'fetched'").select("source").collect()
    assert {row["source"] for row in fetched} == {"news"}
    assert 10 < len(place.rows("2026-01-02.news")) <= len(fetched)


def test_an_archive_becomes_documents_that_know_their_place(
    deployed: Callable[..., Deployment], seed: int, tmp_path: Path
) -> None:
    archive = build_archive(tmp_path / "archive", seed, pages=100)
    chosen = {"crawls": [archive.crawl], "mime_types": ["text/html"], "limit": 20}
    entry: dict[str, Any] = {
        "name": "cc-sample", "kind": "commoncrawl", "index": archive.index, "selection": chosen,
    }  # fmt: skip
    originals = {row["url"]: row for row in archive.rows}
    with serve_ranges(archive.root) as server:
        entry["config"] = {"base_url": server.url, "allow_private_addresses": True}
        place = deployed(entry)
        told = place.acquire("cc-sample", "2026-01-02")
        assert place.land() == ["2026-01-02.cc-sample"]
        hits = len(server.hits)
        # The same choice under another name: nothing is fetched.
        assert place.fetch("2026-01-02T0100").extra["requests"] == 0
        assert len(server.hits) == hits
        place = deployed(entry | {"selection": chosen | {"limit": 30}})
        with pytest.raises(InputError, match="holds another selection"):
            place.fetch("2026-01-02")
        later = place.fetch("2026-01-03").extra
        place = deployed(entry | {"selection": chosen | {"domains": ["no.example"]}})
        with pytest.raises(InputError, match=r"of 0 records .* none came; correct"):
            place.fetch("2026-01-04")
    assert (told["pages"], told["changed"], told["unchanged"]) == (20, 20, 0)
    assert told["selection_hash"] != later["selection_hash"]
    assert (later["pages"], later["changed"], later["unchanged"]) == (30, 10, 20)
    found = place.rows("2026-01-02.cc-sample")
    assert 10 < len(found) <= 20
    for url, row in found.items():
        original = originals[url]
        assert row["origin"] == "{}@{}+{}".format(
            original["warc_filename"],
            original["warc_record_offset"],
            original["warc_record_length"],
        )
        assert row["fetched_at"].timestamp() == original["fetch_time"].timestamp()
        assert row["source"] == "cc-sample"


def test_objects_become_documents(
    deployed: Callable[..., Deployment], s3_profile: S3Profile
) -> None:
    root = f"{s3_profile.root}/in"
    client, bucket = s3_client(s3_profile.s3), Location.parse(root).bucket
    for name in ("a", "b"):
        body = json.dumps({"id": name, "text": f"Some words of {name}.", "licence": "CC0-1.0"})
        client.put_object(Bucket=bucket, Key=f"in/{name}.jsonl", Body=body.encode())
    entry = {"name": "partner", "kind": "files", "path": root, "quiet_seconds": 0}
    settings = json.loads(s3_profile.file.read_text())["s3"]
    place = deployed(entry, s3=settings)
    source = place.sources["partner"]
    assert isinstance(source, FilesSource)
    time.sleep(1)  # the server's clock tells whole seconds
    sensor = files_sensor(source, place.loaded.resolve_job_def("source_partner"))
    result = sensor(
        dg.build_sensor_context(instance=place.instance, resources={"foundry": StoreResource()})
    )
    assert isinstance(result, dg.SensorResult)
    [request] = result.run_requests or []
    told = place.acquire("partner", str(request.partition_key))
    assert (told["pages"], told["changed"], told["rejected"]) == (2, 2, 0)
    [snapshot] = place.land()
    rows = place.store.read(DOCUMENTS).where(f"snapshot = '{snapshot}'").collect()
    assert {row["text"] for row in rows} == {"Some words of a.", "Some words of b."}
    assert {(row["source"], row["licence"]) for row in rows} == {("partner", "CC0-1.0")}
    assert all(str(row["origin"]).startswith(f"{root}/") for row in rows)


@pytest.fixture
def media() -> Iterator[Any]:
    with served() as running:
        yield running


def test_media_are_collected_and_no_snapshot_follows(
    deployed: Callable[..., Deployment], media: Any, seed: int
) -> None:
    media.add("/m/a.mp4", mp4(random.Random(seed), 5_000), "video/mp4")
    media.video_page("/p/a", "/m/a.mp4", "A")
    media.video_page("/p/nc", "/m/a.mp4", "NC", CC_BY_NC)
    media.video_page("/closed/p", "/m/a.mp4", "Closed")
    urls = [media.url(path) for path in ("/p/a", "/p/nc", "/closed/p")]
    config = {"delay_seconds": 0, "retries": 0, "private_hosts": [media.host]}
    place = deployed({"name": "talks", "kind": "platforms", "urls": urls, "config": config})
    told = place.acquire("talks", "2026-01-02")
    counts = ("pages", "changed", "unchanged", "blocked_by_robots", "refused_by_licence")
    assert [told[name] for name in counts] == [3, 1, 0, 1, 1]
    again = acquire(lambda: place.store, place.sources["talks"], place.profile, "2026-01-03").extra
    assert [again[name] for name in counts] == [3, 0, 1, 1, 1]
    rows = place.store.read(MEDIA).collect()
    assert {row["source"] for row in rows} == {"talks"}
    assert place.land() == []
    assert waiting(place.instance, place.sources["talks"]).arrived == ()


def test_a_snapshot_of_a_source_that_is_gone_says_so(deployed: Callable[..., Deployment]) -> None:
    place = deployed()
    place.instance.add_dynamic_partitions("snapshot", ["2026-01-02.news"])
    with pytest.raises(InputError, match=r"source news, of which .*put it back.*landing"):
        place.document("2026-01-02.news")
