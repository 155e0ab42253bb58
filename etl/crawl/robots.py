"""robots.txt as a gate before every request (RFC 9309), with Crawl-delay per host.

Scrapy's own middleware lets every URL pass when robots.txt cannot be had and knows no
Crawl-delay; RFC 9309 2.3.1.4 asks for the opposite of the first. Hence this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from scrapy import Request, signals
from scrapy.exceptions import IgnoreRequest, StopDownload
from scrapy.http.request import NO_CALLBACK

from etl.crawl.config import CrawlConfig
from etl.crawl.directives import MAX_TDMREP_BYTES, Reservations
from etl.crawl.pace import Pace
from etl.crawl.routing import Router
from etl.crawl.rules import MAX_ROBOTS_BYTES, MAX_ROBOTS_REDIRECTS, Rules, read_rules
from etl.crawl.urls import UrlRefusedError, canonical_url, host_of, in_scope

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

_CEILING = 64 * 1024 * 1024  # of what a small compressed file may become


class RobotsDeniedError(IgnoreRequest):
    """robots.txt forbids the URL, or the server cannot say whether it does."""


class OptedOutError(IgnoreRequest):
    """The host's tdmrep.json reserves the URL from text and data mining."""


class HostRefusedError(IgnoreRequest):
    """The host asks for a pace that the profile does not grant, or is not public."""


class RobotsGate:
    """Downloader middleware: fetches each host's robots.txt and applies it, and sets its pace.

    robots.txt is asked for again when it has expired; while a host cannot say, what it said last
    holds (RFC 9309, 2.3.1.4 and 2.4). The tdmrep.json is asked for along with it.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._config: CrawlConfig = crawler.settings["FOUNDRY_CONFIG"]
        self._router = Router(self._config)
        self._obeys_reservations = "tdm-reservation" in self._config.obey_opt_outs
        self._rules: dict[str, asyncio.Future[Rules]] = {}
        self._paces: dict[str, Pace] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsGate:
        gate = cls(crawler)
        crawler.signals.connect(gate.on_response, signals.response_downloaded)
        crawler.signals.connect(gate.on_bytes, signals.bytes_received)
        return gate

    def on_bytes(self, data: bytes, request: Request) -> None:
        """Stops reading a robots.txt at its limit, and keeps what came (RFC 9309, 2.5)."""
        limit = request.meta.get("read_at_most")
        if limit is not None:
            request.meta["read"] = request.meta.get("read", 0) + len(data)
            if request.meta["read"] >= limit:
                raise StopDownload(fail=False)

    def on_response(self, response: Response, request: Request) -> None:
        """Sets the host's pace. A delay counts from the end of an answer, so that a slow host
        sees it too."""
        host = request.meta["download_slot"]
        pace = self._paces.get(host)
        if pace is None:
            return
        waited = response.headers.get("Retry-After")
        before = pace.delay
        pace.answered(
            response.status,
            float(request.meta.get("download_latency") or 0.0),
            waited.decode("latin-1") if waited else None,
        )
        if pace.delay != before:
            self._slow_down(host, pace)
        elif pace.delay:
            self._seen(host)

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
        if refusal := rules.refusal(visit.url, self._config.product):
            raise RobotsDeniedError(refusal)
        if self._obeys_reservations and rules.reserves(visit.url):
            raise OptedOutError("tdm-reservation in tdmrep.json")

    async def _rules_of(self, url: str, host: str) -> Rules:
        asked = self._rules.get(host)
        if asked is None or _expired(asked):
            last = asked.result() if asked else None
            self._rules[host] = asked = asyncio.get_running_loop().create_future()
            try:
                asked.set_result(await self._ask(url.split("//", 1)[0] + f"//{host}", host, last))
            except Exception as error:
                asked.set_exception(error)
        return await asked

    async def _ask(self, root: str, host: str, last: Rules | None) -> Rules:
        try:
            rules = await self._fetch(f"{root}/robots.txt", host)
        except Exception:
            if last is None:
                raise
            rules = last
        if rules.denied and last is not None:
            rules = last
        self._pace(host, rules)
        if not rules.denied and rules is not last:
            rules = replace(rules, reservations=await self._reservations(root, host))
            if self._config.sitemaps:
                self._announce(rules.sitemaps)
        return replace(rules, expires=time.monotonic() + self._config.robots_max_age_seconds)

    def _announce(self, sitemaps: tuple[str, ...]) -> None:
        """Hands on the sitemaps within the crawl's scope; one of another site is not ours."""
        job = self._crawler.spider.job  # type: ignore[union-attr]
        job.found_sitemaps(url for url in sitemaps if in_scope(url, job.hosts))

    def _pace(self, host: str, rules: Rules) -> None:
        floor = max(rules.delay, self._config.delay_seconds)
        pace = self._paces[host] = Pace(floor, max(self._config.max_delay_seconds, floor))
        if floor > self._config.delay_seconds:
            self._slow_down(host, pace)

    def _slow_down(self, host: str, pace: Pace) -> None:
        """Applies a pace to the host's slot as it is, and as it is made anew after an idle time."""
        engine: Any = self._crawler.engine
        config = self._config
        at_once = 1 if pace.delay > config.delay_seconds else config.concurrency_per_host
        engine.downloader.per_slot_settings[host] = {"delay": pace.delay, "concurrency": at_once}
        slot = engine.downloader.slots.get(host)
        if slot is not None:
            slot.delay, slot.concurrency = pace.delay, at_once
            slot.lastseen = time.monotonic()

    def _seen(self, host: str) -> None:
        engine: Any = self._crawler.engine
        slot = engine.downloader.slots.get(host)
        if slot is not None:
            slot.lastseen = time.monotonic()

    async def _reservations(self, root: str, host: str) -> Reservations:
        try:
            response = await self._get(f"{root}/.well-known/tdmrep.json", host, MAX_TDMREP_BYTES)
        except Exception:  # a host without the file, or that fails on it, reserves nothing by it
            return Reservations()
        return Reservations.parse(response.body) if response.status == 200 else Reservations()

    async def _fetch(self, robots_url: str, host: str) -> Rules:
        url = robots_url
        for _ in range(MAX_ROBOTS_REDIRECTS + 1):
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

    async def _get(self, url: str, host: str, limit: int = MAX_ROBOTS_BYTES) -> Response:
        target, headers = self._router.route(url)
        request = Request(
            target,
            headers=headers,
            priority=1_000,
            callback=NO_CALLBACK,
            dont_filter=True,
            meta={
                "download_slot": host,
                "read_at_most": limit,
                "download_maxsize": _CEILING,
            },
        )
        engine: Any = self._crawler.engine
        return (await engine.download_async(request)).replace(url=url)

    def _read(self, response: Response) -> Rules:
        rules = read_rules(response.status, response.body, self._config.product)
        return replace(rules, sitemaps=tuple(_canonical_urls(rules.sitemaps, response.url)))


def _expired(asked: asyncio.Future[Rules]) -> bool:
    answered = asked.done() and asked.exception() is None
    return answered and asked.result().expires < time.monotonic()


def _canonical_urls(urls: Iterable[str], base: str) -> Iterator[str]:
    for url in urls:
        with suppress(UrlRefusedError, ValueError):
            yield canonical_url(urljoin(base, url))
