from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from etl.platforms.config import PlatformConfig
from etl.platforms.gate import Gate, Refused
from tests.etl.platforms.site import Site

Settings = Callable[..., PlatformConfig]


def fetch(gate: Gate, url: str) -> bytes:
    gate.admit(url)
    answer = gate.send(url, {})
    gate.look(answer)
    body = answer.body.read_some(10_000)
    gate.finished(url)
    return body


def test_two_requests_to_a_host_keep_the_longer_of_the_two_delays(
    site: Site, settings: Settings
) -> None:
    site.add("/robots.txt", "User-agent: *\nCrawl-delay: 0.4\n", "text/plain")
    site.add("/a", "x")
    gate = Gate(settings(delay_seconds=0.1))
    for _ in range(3):
        assert fetch(gate, site.url("/a")) == b"x"
    assert len(site.asked("/robots.txt")) == 1
    times = [one.started for one in site.asked("/a")]
    assert all(later - earlier >= 0.4 for earlier, later in itertools.pairwise(times))


def test_a_restarted_worker_waits_before_its_first_request(site: Site, settings: Settings) -> None:
    import time

    started = time.monotonic()
    fetch(Gate(settings(delay_seconds=0.3), restarted=True), site.url("/a"))
    assert site.log[0].started - started >= 0.3


def test_a_host_that_asks_for_too_long_a_delay_is_refused(site: Site, settings: Settings) -> None:
    site.add("/robots.txt", "User-agent: *\nCrawl-delay: 3600\n", "text/plain")
    with pytest.raises(Refused, match="3600") as refused:
        fetch(Gate(settings()), site.url("/a"))
    assert refused.value.rule == "platform.crawl_delay"
    assert not site.asked("/a")


@pytest.mark.parametrize(
    ("status", "body", "allowed"),
    [
        (404, "", True),
        (403, "", True),  # RFC 9309, 2.3.1.3
        (500, "", False),
        (429, "", False),
        (200, "<html>not rules</html>", True),
        (200, "User-agent: TokenFoundry\nDisallow: /\n", False),
        (200, "User-agent: Other\nDisallow: /\n", True),
        (200, "User-agent: *\nDisallow: /a\n" + "# filler\n" * 2_000_000, False),
    ],
)
def test_what_robots_txt_says(
    site: Site, settings: Settings, status: int, body: str, allowed: bool
) -> None:
    site.add("/robots.txt", body, "text/plain", status=status)
    site.add("/a", "x")
    gate = Gate(settings())
    if allowed:
        assert fetch(gate, site.url("/a")) == b"x"
        return
    with pytest.raises(Refused) as refused:
        fetch(gate, site.url("/a"))
    assert refused.value.rule == "platform.robots"
    assert not site.asked("/a")


def test_robots_txt_behind_a_redirect_to_a_private_address(site: Site, settings: Settings) -> None:
    site.add("/robots.txt", status=301, headers={"Location": "http://127.0.0.2:1/robots.txt"})
    with pytest.raises(Refused) as refused:
        fetch(Gate(settings()), site.url("/a"))
    assert refused.value.rule == "platform.private_address"


def test_a_name_that_leads_to_a_private_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def resolve(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Refused, match=r"10\.1\.2\.3"):
        Gate(settings()).admit("http://innocent.example/a")
