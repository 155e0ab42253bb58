"""Two days of the sample site through `crawl_snapshot`: tables, increments, idempotence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastwarc.warc import ArchiveIterator

from etl.crawl.config import CrawlConfig
from etl.crawl.snapshot import crawl_snapshot
from etl.sample_site import Site, build_site
from etl.sample_site.server import Request, serve
from schemas.errors import InputError
from schemas.identity import uri_id
from schemas.report import JobReport
from schemas.tables import FETCHES, FRONTIER
from tests.etl.crawl.test_worker import assert_warc_is_valid

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.tables.store import Store

pytestmark = pytest.mark.spark

DAYS = ("2026-01-01", "2026-01-02")
CONFIG = CrawlConfig(
    contact="https://example.org/bot", delay_seconds=0, allow_private_addresses=True,
    timeout_seconds=3, retries=0,
)  # fmt: skip
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Day:
    site: Site
    report: JobReport
    requests: list[Request]
    fetches: Rows
    frontier: Rows


@dataclass(frozen=True)
class Crawled:
    store: Store
    warc: str
    seeds: list[str]
    days: list[Day]

    @property
    def not_due(self) -> set[str]:
        """What failed on the first day and is left alone on the second."""
        came = ("fetched", "not_modified", "redirected", "denied_robots")
        return {u for u, row in self.days[0].fetches.items() if row["verdict"] not in came}


def collect(frame: Any) -> Rows:
    return {row["url"]: row.asDict() for row in frame.collect()}


@pytest.fixture(scope="module")
def crawled(
    spark: SparkSession, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crawled]:
    from etl.tables.store import Store

    folder = tmp_path_factory.mktemp("snapshots")
    store, warc = Store(spark, str(folder / "tables")), str(folder / "warc")
    days = []
    with serve(build_site(seed, pages=120)) as server:
        for number, name in enumerate(DAYS):
            server.day = number
            server.requests.clear()
            report = crawl_snapshot(store, warc, server.seeds, "site", name, CONFIG)
            fetches = collect(store.read(FETCHES).where(f"snapshot = '{name}'"))
            frontier = collect(store.read(FRONTIER))
            days.append(Day(server.site, report, list(server.requests), fetches, frontier))
        yield Crawled(store, warc, server.seeds, days)


def test_the_fetch_log_is_the_truth(crawled: Crawled) -> None:
    for number, day in enumerate(crawled.days):
        expected = {}
        for page in day.site.pages:
            truth = page.truth
            if number and truth.url in crawled.not_due:
                continue
            same = number and truth.expectation == "fetched" and truth.changed_on < number
            expected[truth.url] = "not_modified" if same else truth.expectation
        assert {url: row["verdict"] for url, row in day.fetches.items()} == expected
        for url, row in day.fetches.items():
            assert row["uri_id"] == uri_id("site", url)
            archived = row["verdict"] in ("fetched", "not_modified")
            assert (row["warc_file"] is not None) == archived


def test_the_report_reconciles(crawled: Crawled) -> None:
    for day in crawled.days:
        report = day.report
        assert report.reconciles
        assert report.rows_in == len(day.fetches)
        assert report.rows_in + report.extra["not_due"] == len(day.site.pages)
        assert report.kept == report.extra["changed"] + report.extra["unchanged"]
        assert report.extra["waiting"] == 0
        assert report.bytes_in == sum(row["bytes"] for row in day.fetches.values())
    assert crawled.days[0].report.extra["unchanged"] == 0
    assert crawled.days[1].report.bytes_in < crawled.days[0].report.bytes_in / 2


def test_the_second_day_asks_conditionally_and_archives_what_changed(crawled: Crawled) -> None:
    first, second = crawled.days
    assert not any(r.conditional for r in first.requests)
    known = {u: p for u, p in first.site.by_url().items() if p.truth.expectation == "fetched"}
    conditional = {(r.host, r.path) for r in second.requests if r.conditional}
    expected = {
        (p.truth.host, p.truth.path) for p in known.values()
        if {"ETag", "Last-Modified"} & p.headers.keys()
    }  # fmt: skip
    assert conditional == expected
    changed = {u for u, row in second.fetches.items() if row["verdict"] == "fetched"}
    assert changed == {p.truth.url for p in second.site.pages
                       if p.truth.changed_on == 1 and p.truth.expectation == "fetched"}  # fmt: skip
    silent = [r for r in second.fetches.values() if r["message"] == "the same bytes"]
    assert silent  # pages without validators were downloaded, compared and not archived again
    (archive,) = Path(crawled.warc, DAYS[1]).glob("*.warc.gz")
    assert_warc_is_valid(archive.parent)
    kinds = Counter(record.headers["WARC-Type"] for record in ArchiveIterator(str(archive)))
    unchanged = [r for r in second.fetches.values() if r["verdict"] == "not_modified"]
    assert (kinds["response"], kinds["revisit"]) == (len(changed), len(unchanged))
    profiles = Counter(
        record.headers["WARC-Profile"].rpartition("/")[2]
        for record in ArchiveIterator(str(archive))
        if record.headers["WARC-Type"] == "revisit"
    )
    assert profiles["identical-payload-digest"] == len(silent)
    sizes = [
        sum(row["warc_length"] for row in day.fetches.values() if row["verdict"] == "fetched")
        for day in crawled.days
    ]
    assert sizes[1] < sizes[0] / 4


def test_the_frontier_remembers(crawled: Crawled) -> None:
    first, second = crawled.days
    assert first.frontier.keys() == first.fetches.keys()
    assert second.frontier.keys() == second.fetches.keys() | crawled.not_due
    assert crawled.not_due
    for url in crawled.not_due:  # failed or gone a day ago: left alone for some days
        assert second.frontier[url] == first.frontier[url]
        assert second.frontier[url]["next_visit"] > DAYS[1]
    for url, fetch in second.fetches.items():
        row = second.frontier[url]
        assert row["next_visit"] > DAYS[1]
        assert row["state"] == fetch["verdict"]
        assert row["last_visit"] == DAYS[1]
        assert row["first_seen"] == (DAYS[0] if url in first.frontier else DAYS[1])
        match fetch["verdict"]:
            case "fetched":
                assert row["last_change"] == DAYS[1]
                again = url in first.frontier
                assert (row["visits"], row["changes"]) == ((2, 1) if again else (1, 0))
                assert row["content_sha256"] == fetch["content_sha256"]
            case "not_modified":
                assert row["last_change"] == DAYS[0]
                assert row["content_sha256"] == first.frontier[url]["content_sha256"]
                assert row["etag"] == first.frontier[url]["etag"]
                assert (row["failures"], row["visits"], row["changes"]) == (0, 2, 0)
                assert row["next_visit"] == "2026-01-04"  # unchanged: in twice the time
            case "gone":  # a page that comes back is asked for whole
                assert (row["content_sha256"], row["etag"]) == (None, None)
                assert row["failures"] == 1
    assert first.frontier[crawled.seeds[0]]["depth"] == 0
    assert max(row["depth"] for row in first.frontier.values()) >= 2


def test_a_finished_snapshot_is_not_crawled_again(crawled: Crawled) -> None:
    """The server is not even asked: the fixture's last day stands and the tables stay equal."""
    store, last = crawled.store, crawled.days[1]
    asked = len(last.requests)
    report = crawl_snapshot(store, crawled.warc, crawled.seeds, "site", DAYS[1], CONFIG)
    assert report.model_dump(exclude={"seconds"}) == last.report.model_dump(exclude={"seconds"})
    assert collect(store.read(FETCHES).where(f"snapshot = '{DAYS[1]}'")) == last.fetches
    assert collect(store.read(FRONTIER)) == last.frontier
    assert len(last.requests) == asked
    earlier = crawl_snapshot(store, crawled.warc, crawled.seeds, "site", DAYS[0], CONFIG)
    assert earlier.kept == crawled.days[0].report.kept
    assert collect(store.read(FRONTIER)) == last.frontier


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snapshot": "2025-12-31"}, "older than its last visit"),
        ({"snapshot": "a/b"}, "snapshot 'a/b'"),
        ({"source": "../x"}, "source '../x'"),
        ({"seeds": []}, "no seeds"),
        ({"seeds": ["http://ok.example/", "ftp://a.example/"]}, "seed 2"),
        ({"config": replace(CONFIG, contact="")}, "crawl.contact is empty"),
        ({"warc_root": "s3://bucket/warc"}, "s3://bucket/warc"),
    ],
)
def test_bad_arguments_are_named_and_write_nothing(
    crawled: Crawled, change: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "warc_root": crawled.warc, "seeds": crawled.seeds, "source": "site",
        "snapshot": "2026-01-09", "config": CONFIG, **change,
    }  # fmt: skip
    before = sorted(Path(crawled.warc).iterdir())
    with pytest.raises(InputError, match=message):
        crawl_snapshot(crawled.store, **arguments)
    assert sorted(Path(crawled.warc).iterdir()) == before
