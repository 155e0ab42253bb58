"""Hostile servers, each real and on loopback: every one ends as a recorded row, none stops us."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from etl.crawl.config import CrawlConfig
from etl.crawl.routing import PrivateAddressError, PublicResolver
from tests.etl.crawl.programmable import Answer, ProgrammableServer, programmable
from tests.etl.crawl.test_worker import CONFIG, assert_warc_is_valid, crawl, order_of

LIMIT = 1_000_000


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    for _ in range(2_000):
        connection.sendall(b"<p>more</p>" * 1_000)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999\r\n\r\n")
    for _ in range(300):
        connection.sendall(b"x")
        time.sleep(0.1)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(300):
        connection.sendall(f"X-{number}: y\r\n".encode())
        time.sleep(0.1)


def bomb(wrap: Any, encoding: str) -> Answer:
    return Answer(wrap(b"<p>" + b"0" * 60_000_000), headers={"Content-Encoding": encoding})


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CASES: dict[str, tuple[Any, set[str]]] = {
    "/endless": (Answer(raw=endless), {"too_large"}),
    "/drip": (Answer(raw=drip), {"timeout"}),
    "/drip-headers": (Answer(raw=drip_headers), {"timeout"}),
    "/gzip-bomb": (bomb(gzip.compress, "gzip"), {"too_large"}),
    "/deflate-bomb": (bomb(zlib.compress, "deflate"), {"too_large"}),
    "/nested-gzip": (
        Answer(gzip.compress(gzip.compress(b"<p>x")), headers={"Content-Encoding": "gzip, gzip"}),
        {"fetched", "network_error"},
    ),
    "/no-gzip": (Answer(b"<p>plain", headers={"Content-Encoding": "gzip"}), {"network_error"}),
    "/br-unasked": (Answer(b"\x1b\x00", headers={"Content-Encoding": "br"}),
                    {"fetched", "network_error"}),
    "/length-too-long": (Answer(raw=HTML + b"Content-Length: 5000\r\n\r\n<p>cut"),
                         {"network_error"}),
    "/length-negative": (Answer(raw=HTML + b"Content-Length: -5\r\n\r\n<p>x"), {"network_error"}),
    "/length-twice": (
        Answer(raw=HTML + b"Content-Length: 4\r\nContent-Length: 9\r\n\r\n<p>x"), {"network_error"}
    ),
    "/cookies": (Answer("<p>x", headers={"Set-Cookie": "a=" + "b" * 2_000_000}),
                 {"network_error"}),
    "/many-headers": (Answer("<p>x", headers={f"X-{n}": "y" for n in range(20_000)}),
                      {"fetched", "network_error"}),
    "/status-0": (Answer(raw=b"HTTP/1.1 000 \r\n\r\n"), {"network_error", "http_error"}),
    "/garbage": (Answer(raw=b"\x00\xff" * 2_000), {"network_error"}),
    "/hang-up": (Answer(raw=lambda connection: connection.close()), {"network_error"}),
    "/loop": (Answer(status=302, headers={"Location": "/loop"}), {"redirected"}),
    "/ping": (Answer(status=302, headers={"Location": "/pong"}), {"redirected"}),
    "/pong": (Answer(status=302, headers={"Location": "/ping"}), {"redirected"}),
    "/to-metadata": (Answer(status=302, headers={"Location": "http://169.254.169.254/latest"}),
                     {"redirected"}),
    "/to-file": (Answer(status=302, headers={"Location": "file:///etc/passwd"}), {"http_error"}),
    "/to-nowhere": (Answer(status=302, headers={"Location": "http://[::bad"}), {"http_error"}),
    "/location-bytes": (
        Answer(raw=b"HTTP/1.1 302 x\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"),
        {"redirected", "http_error"},
    ),
    "/dates": (Answer("<p>x", headers={"Last-Modified": "Yesterday, \x01 99", "Date": "-1"}),
               {"fetched"}),
    "/etag": (Answer("<p>x", headers={"ETag": '"' + "e" * 50_000 + '"'}),
              {"fetched", "network_error"}),
    "/good": (Answer("<p>good"), {"fetched"}),
}  # fmt: skip


def start_page() -> str:
    return "".join(f'<a href="{path}">x</a>' for path in CASES)


def run(server: ProgrammableServer, folder: Path, **changes: Any) -> dict[str, dict[str, Any]]:
    values = {"max_bytes": LIMIT, "timeout_seconds": 2, "retries": 0, "max_redirects": 3}
    config = CrawlConfig(**{**asdict(CONFIG), **values, **changes})
    rows = crawl(order_of(folder / "2026-01-01", [server.url("/")], config))
    assert_warc_is_valid(folder / "2026-01-01")
    return {url.removeprefix(server.url("/")[:-1]): row for url, row in rows.items()}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One crawl over all of them."""
    with programmable() as server:
        server.answers |= {path: answer for path, (answer, _) in CASES.items()}
        server.answers["/"] = Answer(start_page())
        return run(server, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("path", CASES)
def test_it_ends_as_a_row(rows: dict[str, dict[str, Any]], path: str) -> None:
    row = rows[path]
    assert row["verdict"] in CASES[path][1], row
    if row["verdict"] not in ("fetched", "redirected"):
        assert row["message"]
        assert len(row["message"]) <= 500


def test_nothing_private_was_visited(rows: dict[str, dict[str, Any]]) -> None:
    assert "not followed" in rows["/to-metadata"]["message"]
    assert not [path for path in rows if "169.254" in path]


def test_a_page_of_a_hundred_thousand_links_is_bounded(tmp_path: Path) -> None:
    with programmable() as server:
        links = "".join(f'<a href="/n{n:x}q">x</a>' for n in range(100_000))
        server.answers["/"] = Answer(links)
        found = run(server, tmp_path, max_bytes=5_000_000, max_links=300)
    assert len(found) == 301


@pytest.mark.parametrize(
    "robots",
    [
        Answer("User-agent: *\nDisallow: /no\n" + "#" * 50_000_000, "text/plain"),
        Answer("<html><body>User-agent: *\nDisallow: /no"),
        Answer(b"User-agent: *\r\nDisallow: /no\r\n\xff\xfe\x00" * 9, "text/plain"),
        Answer("User-agent: *\nDisallow: /no\nCrawl-delay: soon\nSitemap: ::\n", "text/plain"),
        Answer(
            gzip.compress(b"User-agent: *\nDisallow: /no\n" + b"#" * 40_000_000), "text/plain",
            headers={"Content-Encoding": "gzip"},
        ),
    ],
    ids=["50 MB", "HTML", "not UTF-8", "bad values", "gzip"],
)  # fmt: skip
def test_robots_txt_of_any_shape(tmp_path: Path, robots: Answer) -> None:
    with programmable() as server:
        server.answers |= {
            "/robots.txt": robots,
            "/": Answer('<a href="/no/1">x</a><a href="/yes">x</a>'),
            "/yes": Answer("<p>yes"),
        }
        found = run(server, tmp_path)
    html = robots.content_type == "text/html"
    assert found["/yes"]["verdict"] == "fetched"
    assert found["/no/1"]["verdict"] == ("gone" if html else "denied_robots")


def test_urls_that_are_not_utf_8(tmp_path: Path) -> None:
    with programmable() as server:
        server.answers["/"] = Answer(
            b'<a href="/caf\xe9">latin</a><a href="/%ff%fe">bytes</a><a href="/\xf0\x9f">cut</a>'
            b'<a href="http://\xff\xff/">host</a><a href="/\x00null">null</a>',
            "text/html; charset=utf-8",
        )
        server.fallback = lambda _: Answer("<p>x")
        found = run(server, tmp_path)
    assert len(found) >= 3
    assert {row["verdict"] for row in found.values()} == {"fetched"}
    assert all(path.isascii() for path in found)


def test_bad_tls_is_a_recorded_row(tmp_path: Path) -> None:
    """One that never answers the handshake, and one that answers in plain HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        config = CrawlConfig(**{**asdict(CONFIG), "timeout_seconds": 1, "retries": 0})
        found = crawl(order_of(tmp_path / "s", [f"https://127.0.0.1:{port}/"], config))
    assert {row["verdict"] for row in found.values()} <= {"network_error", "timeout"}
    with programmable() as server:
        server.answers["/"] = Answer(raw=b"HTTP/1.1 400 this is no TLS\r\n\r\n")
        seed = server.url("/").replace("http:", "https:")
        found = crawl(order_of(tmp_path / "t", [seed], config))
    assert {row["verdict"] for row in found.values()} <= {"network_error", "timeout"}


def test_a_name_that_turns_private_between_check_and_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: what is checked is the very address that the connection gets."""
    from scrapy.resolver import CachingThreadedResolver
    from twisted.internet import defer

    addresses = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(
        CachingThreadedResolver, "getHostByName",
        lambda self, name, timeout=(): defer.succeed(next(addresses)),
    )  # fmt: skip
    resolver = PublicResolver.__new__(PublicResolver)
    got: list[Any] = []
    for _ in range(2):
        resolver.getHostByName("rebind.example").addBoth(got.append)
    assert got[0] == "93.184.216.34"
    assert isinstance(got[1].value, PrivateAddressError)
