"""What a site asks for beyond robots.txt: sitemaps, opt-outs, canonical URLs, a slower pace."""

from __future__ import annotations

import gzip
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl.crawl.config import CrawlConfig
from etl.crawl.job import journal_path
from etl.crawl.journal import read_journal
from tests.etl.crawl.programmable import Answer, ProgrammableServer, programmable
from tests.etl.crawl.test_worker import CONFIG, crawl, order_of, start


def visit(server: ProgrammableServer, folder: Path, **changes: Any) -> dict[str, dict[str, Any]]:
    """The verdicts by path."""
    config = CrawlConfig(**{**asdict(CONFIG), **changes})
    rows = crawl(order_of(folder / "2026-01-01", [server.url("/")], config))
    return {url.removeprefix(server.url("/")[:-1]): row for url, row in rows.items()}


def test_sitemaps_of_robots_txt_are_followed_through_their_index(tmp_path: Path) -> None:
    with programmable() as server:
        index = f"<sitemapindex><sitemap><loc>{server.url('/s.xml.gz')}</loc></sitemap>"
        index += "<sitemap><loc>https://elsewhere.example/s.xml</loc></sitemap></sitemapindex>"
        pages = "".join(f"<url><loc>{server.url(f'/only-{n}')}</loc></url>" for n in range(5))
        server.answers |= {
            "/robots.txt": Answer(f"Sitemap: {server.url('/index.xml')}\n", "text/plain"),
            "/": Answer("<p>No links here."),
            "/index.xml": Answer(index, "application/xml"),
            "/s.xml.gz": Answer(
                gzip.compress(f"<urlset>{pages}</urlset>".encode()), "application/gzip"
            ),
            **{f"/only-{n}": Answer(f"<p>Page {n}") for n in range(5)},
        }
        rows = visit(server, tmp_path)
        assert {path for path, row in rows.items() if row["verdict"] == "sitemap"} == {
            "/index.xml", "/s.xml.gz",
        }  # fmt: skip
        fetched = {path for path, row in rows.items() if row["verdict"] == "fetched"}
        assert fetched == {"/", *(f"/only-{n}" for n in range(5))}
        assert len(rows) == 8
        assert not visit(server, tmp_path / "off", sitemaps=False).keys() & {"/index.xml"}


def test_a_sitemap_is_not_lost_when_the_crawl_is_killed_before_it(tmp_path: Path) -> None:
    with programmable() as server:
        listed = f"<urlset><url><loc>{server.url('/listed')}</loc></url></urlset>"
        server.answers |= {
            "/robots.txt": Answer(f"Sitemap: {server.url('/map.xml')}\n", "text/plain"),
            "/": Answer("<p>Home."),
            "/map.xml": Answer(listed, "application/xml", stall=30),
            "/listed": Answer("<p>Found."),
        }
        config = CrawlConfig(**{**asdict(CONFIG), "timeout_seconds": 60})
        order = order_of(tmp_path / "2026-01-01", [server.url("/")], config)
        with start(order) as process:
            server.wait_for("/map.xml")
            process.kill()
        server.answers["/map.xml"] = Answer(listed, "application/xml")
        asked = len(server.requests)
        rows = crawl(order)
        assert rows[server.url("/listed")]["verdict"] == "fetched"
        assert "/" not in server.requests[asked:]


def test_opt_outs_are_honoured_and_recorded(tmp_path: Path) -> None:
    with programmable() as server:
        links = "".join(f'<a href="/{name}">x</a>' for name in
                        ("meta", "header", "other", "tdm", "well/known", "noindex"))  # fmt: skip
        server.answers |= {
            "/": Answer(links),
            "/meta": Answer('<meta name="robots" content="noai"><a href="/behind">x</a>'),
            "/header": Answer("<p>x", headers={"X-Robots-Tag": "noimageai"}),
            "/other": Answer("<p>x", headers={"X-Robots-Tag": "otherbot: noai"}),
            "/tdm": Answer("<p>x", headers={"TDM-Reservation": "1"}),
            "/.well-known/tdmrep.json": Answer(
                '[{"location": "/well/*", "tdm-reservation": 1}]', "application/json"
            ),
            "/well/known": Answer("<p>never asked for"),
            "/noindex": Answer('<meta name="robots" content="noindex">'),
            "/behind": Answer("<p>linked from a page that opted out itself"),
        }
        rows = visit(server, tmp_path)
        verdicts = {path: (row["verdict"], row.get("opt_outs")) for path, row in rows.items()}
        assert verdicts == {
            "/": ("fetched", None),
            "/meta": ("opted_out", ["noai"]),
            "/header": ("opted_out", ["noimageai"]),
            "/other": ("fetched", None),
            "/tdm": ("opted_out", ["tdm-reservation"]),
            "/well/known": ("opted_out", ["tdm-reservation"]),
            "/noindex": ("fetched", ["noindex"]),
            "/behind": ("fetched", None),
        }
        assert "/well/known" not in server.requests
        assert not any("warc_file" in row for row in rows.values() if row["verdict"] == "opted_out")
        rows = visit(server, tmp_path / "recorded", obey_opt_outs=())
        assert rows["/meta"]["verdict"] == "fetched"
        assert rows["/meta"]["opt_outs"] == ["noai"]


def test_the_canonical_url_is_recorded_and_visited(tmp_path: Path) -> None:
    with programmable() as server:
        server.answers |= {
            "/": Answer('<a href="/print?page=1">x</a>'),
            "/print?page=1": Answer('<link rel="alternate canonical" href="/page">'),
            "/page": Answer("<p>The page."),
        }
        rows = visit(server, tmp_path)
        assert rows["/print?page=1"]["canonical"] == server.url("/page")
        assert rows["/page"]["verdict"] == "fetched"


def test_robots_txt_is_asked_for_again_when_it_has_expired(tmp_path: Path) -> None:
    with programmable() as server:
        pages = {f"/{n}": Answer(f'<a href="/{n + 1}">x</a>') for n in range(8)}
        server.answers |= pages | {
            "/": Answer('<a href="/0">x</a>'),
            "/robots.txt": [
                Answer("User-agent: *\nAllow: /\n", "text/plain"),
                Answer("down", status=503),  # what it said last holds
                Answer("User-agent: *\nDisallow: /5\n", "text/plain"),
            ],
        }
        rows = visit(server, tmp_path, robots_max_age_seconds=0)
        assert rows["/4"]["verdict"] == "fetched"
        assert rows["/5"]["verdict"] == "denied_robots"
        assert server.requests.count("/robots.txt") >= 7


def test_a_busy_host_is_given_time(tmp_path: Path) -> None:
    with programmable() as server:
        links = "".join(f'<a href="/{n}">x</a>' for n in range(6))
        server.answers |= {f"/{n}": Answer(f"<p>{n}") for n in range(6)} | {"/": Answer(links)}
        server.answers["/3"] = [
            Answer("busy", status=429, headers={"Retry-After": "1"}), Answer("<p>3"),
        ]  # fmt: skip
        rows = visit(server, tmp_path)
        assert {row["verdict"] for row in rows.values()} == {"fetched"}
        refused = server.times("/3")[0]
        assert min(t for t in server.all_times() if t > refused + 0.2) >= refused + 0.9


def test_the_journal_of_a_trap(tmp_path: Path) -> None:
    """A calendar without end and a folder that links to itself are cut, the rest is visited."""
    with programmable() as server:

        def calendar(path: str) -> Answer:
            day = int(path.rpartition("=")[2])
            return Answer(f'<a href="/cal?day={day + 1}">next</a><a href="sub/page">deeper</a>')

        server.answers |= {"/": Answer('<a href="/cal?day=0">x</a><a href="/good">x</a>'),
                           "/good": Answer("<p>good")}  # fmt: skip
        server.fallback = lambda path: (
            calendar(path) if path.startswith("/cal") else Answer('<a href="sub/page">deeper</a>')
        )
        rows = visit(server, tmp_path, max_pages_per_pattern=20, max_depth=200)
    days = [path for path in rows if path.startswith("/cal")]
    assert len(days) == 20
    assert rows["/good"]["verdict"] == "fetched"
    deeper = [path for path in rows if "sub" in path]
    assert 0 < len(deeper) <= 4
    entries = list(read_journal(journal_path(tmp_path / "2026-01-01", "site")))
    assert entries[-1]["kind"] == "end"
