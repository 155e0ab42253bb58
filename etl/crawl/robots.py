"""robots.txt as a gate before every request (RFC 9309), with Crawl-delay per host.

Scrapy's own middleware lets every URL pass when robots.txt cannot be had and knows no
Crawl-delay; RFC 9309 2.3.1.4 asks for the opposite of the first. Hence this one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrapy import Request, signals
from scrapy.exceptions import IgnoreRequest
from scrapy.http.request import NO_CALLBACK

from etl.crawl.config import CrawlConfig
from etl.crawl.routing import Router
from etl.crawl.urls import UrlRefusedError, canonical_url, host_of

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, 2.5: at least 500 kibibytes must be parsed
_MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2


class RobotsDeniedError(IgnoreRequest):
    """robots.txt forbids the URL, or the server cannot say whether it does."""


class HostRefusedError(IgnoreRequest):
    """The host asks for a pace that the profile does not grant, or is not public."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one host allows. Without a parser: everything, or nothing when `denied` says why."""

    parser: Any = None
    denied: str = ""
    delay: float = 0.0


class RobotsGate:
    """Downloader middleware: fetches each host's robots.txt once and applies it."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._config: CrawlConfig = crawler.settings["FOUNDRY_CONFIG"]
        self._router = Router(self._config)
        self._rules: dict[str, asyncio.Future[Rules]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsGate:
        gate = cls(crawler)
        crawler.signals.connect(gate.on_response, signals.response_downloaded)
        return gate

    def on_response(self, request: Request) -> None:
        """Counts a Crawl-delay from the end of an answer, so that a slow host sees it too."""
        engine: Any = self._crawler.engine
        host = request.meta["download_slot"]
        if host in engine.downloader.per_slot_settings:
            engine.downloader.slots[host].lastseen = time.monotonic()

    async def process_request(self, request: Request) -> None:
        """Raises `RobotsDeniedError` or `HostRefusedError`; else the request may go."""
        visit = request.meta.get("visit")
        if visit is None:  # robots.txt itself
            return
        rules = await self._rules_of(visit.url, visit.host)
        if rules.delay > self._config.max_crawl_delay_seconds:
            raise HostRefusedError(
                f"robots.txt asks for a delay of {rules.delay:g} s, more than "
                f"max_crawl_delay_seconds {self._config.max_crawl_delay_seconds:g}"
            )
        if rules.denied:
            raise RobotsDeniedError(rules.denied)
        if rules.parser and not rules.parser.can_fetch(visit.url, self._config.product):
            raise RobotsDeniedError("disallowed by robots.txt")

    async def _rules_of(self, url: str, host: str) -> Rules:
        if host not in self._rules:
            self._rules[host] = asyncio.get_running_loop().create_future()
            try:
                rules = await self._fetch(url.split("//", 1)[0] + f"//{host}/robots.txt", host)
            except Exception as error:
                self._rules[host].set_exception(error)
            else:
                self._pace(host, rules)
                self._rules[host].set_result(rules)
        return await self._rules[host]

    def _pace(self, host: str, rules: Rules) -> None:
        if rules.delay <= self._config.delay_seconds:
            return
        engine: Any = self._crawler.engine
        downloader = engine.downloader
        # For the slot as it is, and for the one made anew after an idle minute.
        downloader.per_slot_settings[host] = {"delay": rules.delay, "concurrency": 1}
        slot = downloader.slots.get(host)
        if slot is not None:
            slot.delay, slot.concurrency = rules.delay, 1
            slot.lastseen = time.monotonic()

    async def _fetch(self, robots_url: str, host: str) -> Rules:
        url = robots_url
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._get(url, host)
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return self._read(response)
            try:
                url = canonical_url(response.urljoin(location.decode("latin-1")))
            except UrlRefusedError:
                return Rules()
            if host_of(url) != host and not self._router.is_mapped(host_of(url)):
                self._router.require_public(url)
        return Rules()

    async def _get(self, url: str, host: str) -> Response:
        target, headers = self._router.route(url)
        request = Request(
            target,
            headers=headers,
            priority=1_000,
            callback=NO_CALLBACK,
            dont_filter=True,
            meta={"download_slot": host, "download_maxsize": MAX_ROBOTS_BYTES, "robots": True},
        )
        engine: Any = self._crawler.engine
        return (await engine.download_async(request)).replace(url=url)

    def _read(self, response: Response) -> Rules:
        from protego import Protego

        if response.status == 429 or response.status >= 500:
            return Rules(denied=f"robots.txt answered {response.status}: assumed to forbid all")
        if response.status != 200:
            return Rules()
        parser = Protego.parse(response.body[:MAX_ROBOTS_BYTES].decode("utf-8", "replace"))
        return Rules(parser, delay=float(parser.crawl_delay(self._config.product) or 0))
