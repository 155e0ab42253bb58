"""The crawl process against the sample site: politeness, verdicts, resumption after a kill."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator
from warcio.checker import Checker

from etl.crawl.config import CrawlConfig
from etl.crawl.job import CrawlOrder, journal_path
from etl.crawl.journal import finished_under, read_journal
from etl.crawl.urls import canonical_url
from etl.sample_site import build_site
from etl.sample_site.mirror import serve_mirror
from etl.sample_site.server import SampleServer, serve

ROOT = Path(__file__).parents[3]
CONFIG = CrawlConfig(
    contact="https://example.org/bot", delay_seconds=0, allow_private_addresses=True,
    timeout_seconds=3, retries=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def server(seed: int) -> Iterator[SampleServer]:
    with serve(build_site(seed, pages=160)) as running:
        yield running


def order_of(folder: Path, seeds: list[str], config: CrawlConfig = CONFIG) -> CrawlOrder:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "known").mkdir(exist_ok=True)
    return CrawlOrder(
        folder=str(folder), source="site", snapshot=folder.name, run_hash="h",
        seeds=tuple(map(canonical_url, seeds)), known=str(folder / "known"),
        config=asdict(config),
    )  # fmt: skip


def start(order: CrawlOrder, command: list[str] | None = None) -> subprocess.Popen[str]:
    path = Path(order.folder) / "order.json"
    order.write(path)
    return subprocess.Popen(
        command or [sys.executable, "-m", "etl.crawl.worker", str(path)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def crawl(order: CrawlOrder) -> dict[str, dict[str, Any]]:
    """Runs the worker to its end; the journal by URL."""
    with start(order) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(60) == 0, errors
    assert "decided" in errors.splitlines()[-1]
    return rows_of(order)


def rows_of(order: CrawlOrder) -> dict[str, dict[str, Any]]:
    rows = list(read_journal(journal_path(Path(order.folder), "site")))
    fetches = {e["url"]: e for e in rows if e["kind"] == "fetch"}
    assert len(fetches) == sum(e["kind"] == "fetch" for e in rows)  # each URL is decided once
    return fetches


def assert_warc_is_valid(folder: Path) -> None:
    class Command:
        inputs = tuple(str(path) for path in folder.glob("*.warc.gz"))
        verbose = False

    assert Command.inputs
    checker = Checker(Command())
    checker.process_all()
    assert checker.exit_value == 0


@pytest.fixture(scope="module")
def crawled(
    server: SampleServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CrawlOrder, dict[str, dict[str, Any]], float]:
    """One whole crawl, and the seconds that it took."""
    order = order_of(tmp_path_factory.mktemp("crawl") / "2026-01-01", server.seeds)
    server.requests.clear()
    started = time.monotonic()
    return order, crawl(order), time.monotonic() - started


def test_every_page_gets_the_verdict_that_the_truth_expects(
    server: SampleServer, crawled: tuple[CrawlOrder, dict[str, dict[str, Any]], float]
) -> None:
    rows = crawled[1]
    expected = {p.truth.url: p.truth.expectation for p in server.site.pages}
    assert {url: row["verdict"] for url, row in rows.items()} == expected
    moved = next(row for url, row in rows.items() if url.endswith("/moved/3"))
    assert moved["redirect_to"].endswith("/moved/4")


def test_robots_are_obeyed_and_crawl_delay_is_kept(
    server: SampleServer, crawled: tuple[CrawlOrder, dict[str, dict[str, Any]], float]
) -> None:
    assert crawled[1]
    places = {(r.host, r.path) for r in server.requests}
    hidden = [p.truth for p in server.site.pages if not p.truth.allowed_by_robots]
    assert hidden
    assert not [t.url for t in hidden if (t.host, t.path) in places]
    first = {host: next(r.path for r in server.requests if r.host == host)
             for host in {r.host for r in server.requests}}  # fmt: skip
    assert set(first.values()) == {"/robots.txt"}
    times = sorted(r.time for r in server.requests if r.host == "127.0.0.3")
    assert len(times) > 20
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.02
    agents = {r.user_agent for r in server.requests}
    assert agents == {"TokenFoundry/0.1 (+https://example.org/bot)"}
    # Each page once; errors as often as `retries` allows.
    counts = Counter((r.host, r.path) for r in server.requests)
    assert {path for (_, path), n in counts.items() if n > 1} == {"/broken/500", "/broken/503"}
    assert max(counts.values()) == 2


def test_the_archive_holds_every_fetched_page(
    server: SampleServer, crawled: tuple[CrawlOrder, dict[str, dict[str, Any]], float]
) -> None:
    order, rows, _ = crawled
    folder = Path(order.folder)
    assert_warc_is_valid(folder)
    pages = server.site.by_url()
    data: dict[str, bytes] = {}
    for url, row in rows.items():
        assert ("warc_file" in row) == (row["verdict"] == "fetched")
        if row["verdict"] != "fetched":
            continue
        file = row["warc_file"]
        data.setdefault(file, (folder.parent / file).read_bytes())
        start_, end = row["warc_offset"], row["warc_offset"] + row["warc_length"]
        archive = ArchiveIterator(BytesIO(data[file][start_:end]), parse_http=True)
        record = next(iter(archive))
        assert record.headers["WARC-Target-URI"] == url
        assert record.reader.read() == pages[url].body


def test_kill_at_any_point_and_run_again(
    server: SampleServer,
    crawled: tuple[CrawlOrder, dict[str, dict[str, Any]], float],
    tmp_path: Path,
) -> None:
    order = order_of(tmp_path / "2026-01-01", server.seeds)
    journal = journal_path(Path(order.folder), "site")
    server.requests.clear()
    decided_before: set[str] = set()
    for lines in (15, 60, 110):
        process = start(order)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.005)
        process.kill()
        process.communicate()
        assert finished_under(journal, "h") is None
        decided_before = set(rows_of(order))
        assert len(decided_before) >= lines
    requests_before = len(server.requests)
    with journal.open("ab") as handle:
        handle.write(b'{"kind":"fetch","url":"http://torn')
    with next(Path(order.folder).glob("*.warc.gz")).open("ab") as handle:
        handle.write(b"torn record")
    rows = crawl(order)
    again = {f"http://{r.host}:{server.port}{r.path}" for r in server.requests[requests_before:]}
    assert not again & decided_before

    def facts(found: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        return {u: (r["verdict"], r.get("content_sha256"), r["depth"]) for u, r in found.items()}

    assert facts(rows) == facts(crawled[1])
    assert_warc_is_valid(Path(order.folder))


def test_the_worker_ends_with_its_parent(server: SampleServer, tmp_path: Path) -> None:
    order = order_of(tmp_path / "s", server.seeds)
    process = start(order)
    journal = journal_path(Path(order.folder), "site")
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 75


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]"])
def test_private_addresses_are_refused_unasked(
    server: SampleServer, tmp_path: Path, host: str
) -> None:
    config = CrawlConfig(contact="a@example.org", delay_seconds=0, timeout_seconds=2, retries=0)
    server.requests.clear()
    rows = crawl(order_of(tmp_path / "s", [f"http://{host}:{server.port}/"], config))
    assert [row["verdict"] for row in rows.values()] == ["refused"]
    assert "public" in next(iter(rows.values()))["message"]
    assert server.requests == []


def test_limits_of_pages_and_depth(server: SampleServer, tmp_path: Path) -> None:
    few = CrawlConfig(**{**asdict(CONFIG), "max_pages": 9})
    assert len(crawl(order_of(tmp_path / "few", server.seeds, few))) == 9
    shallow = CrawlConfig(**{**asdict(CONFIG), "max_depth": 0})
    rows = crawl(order_of(tmp_path / "shallow", server.seeds, shallow))
    assert set(rows) == set(server.seeds)


def test_a_demanding_crawl_delay_is_no_invitation_to_hurry(
    server: SampleServer, tmp_path: Path
) -> None:
    config = CrawlConfig(**{**asdict(CONFIG), "max_crawl_delay_seconds": 0.01})
    rows = crawl(order_of(tmp_path / "s", [f"http://127.0.0.3:{server.port}/"], config))
    assert [row["verdict"] for row in rows.values()] == ["refused"]
    assert "max_crawl_delay_seconds" in next(iter(rows.values()))["message"]


def test_real_urls_mapped_to_loopback(tmp_path: Path) -> None:
    pages = {
        "https://www.example.org/a.html": b'<p>One</p><a href="/b.html?x=1">b</a>',
        "https://www.example.org/b.html?x=1": b"<p>Two</p>",
        "http://other.example/": b'<a href="https://third.example/">out of scope</a>',
    }
    with serve_mirror(pages) as mirror:
        config = CrawlConfig(**{**asdict(CONFIG), "host_map": mirror.host_map,
                                "allow_private_addresses": False})  # fmt: skip
        seeds = ["https://www.example.org/a.html", "http://other.example/"]
        order = order_of(tmp_path / "s", seeds, config)
        rows = crawl(order)
    assert {u: r["verdict"] for u, r in rows.items()} == dict.fromkeys(pages, "fetched")
    assert {r["host"] for r in rows.values()} == {"www.example.org", "other.example"}
    assert_warc_is_valid(Path(order.folder))
    (path,) = Path(order.folder).glob("*.warc.gz")
    urls = {r.headers.get("WARC-Target-URI") for r in ArchiveIterator(str(path))}
    assert urls - {None} == set(pages)


def test_a_file_that_cannot_grow_stops_the_crawl_with_the_reason(
    server: SampleServer, tmp_path: Path
) -> None:
    order = order_of(tmp_path / "s", server.seeds)
    path = tmp_path / "s" / "order.json"
    program = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000,) * 2); "
        f"sys.argv = ['worker', {str(path)!r}]; "
        "runpy.run_module('etl.crawl.worker', run_name='__main__')"
    )
    command = [sys.executable, "-c", program]
    with start(order, command) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(60) == 1
    assert "File too large" in errors.splitlines()[-1]
    decided = rows_of(order)
    assert 0 < len(decided) < len(server.site.pages)
    assert crawl(order).keys() > decided.keys()
    assert_warc_is_valid(Path(order.folder))
