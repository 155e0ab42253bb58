"""The spider: hands out visits, judges answers, writes the WARC and the journal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import scrapy
from scrapy import Request, signals
from scrapy.exceptions import CloseSpider

from etl.crawl.job import CrawlJob
from etl.crawl.judge import Judgement, judge_answer, judge_failure
from etl.crawl.routing import PrivateAddressError, Router
from etl.crawl.schedule import Visit
from etl.crawl.sitemaps import MAX_SITEMAP_BYTES
from etl.crawl.warc import Exchange
from schemas.identity import uri_id

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.python.failure import Failure

_ARCHIVED = ("fetched", "not_modified")  # as a response, as a revisit


class WireHeaders:
    """Downloader middleware next to the wire: keeps the headers as they came."""

    def process_response(self, request: Request, response: Response) -> Response:
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in response.headers.items()
            for value in values
        ]
        request.meta["wire"] = (pairs, len(response.body))
        return response


class SnapshotSpider(scrapy.Spider):
    """Visits what the schedule hands out until it is empty. `job` holds all state."""

    name = "snapshot"

    def __init__(self, job: CrawlJob, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.failure = ""
        self._router = Router(job.config)
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._room = 2 * job.config.concurrency

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> SnapshotSpider:
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.on_idle, signals.spider_idle)
        return spider

    async def start(self) -> AsyncIterator[Request]:
        ticker = asyncio.get_running_loop().create_task(self._progress())
        self.crawler.signals.connect(lambda: ticker.cancel(), signals.spider_closed, weak=False)
        for request in self._feed():
            yield request

    def on_idle(self) -> None:
        """Nothing is under way: whatever is still waiting (a lost callback) goes out now."""
        self._go_on()

    def _go_on(self) -> None:
        """Hands requests to the engine itself: as a callback's output they would pass through
        asynchronous generators that cost more than everything else we do with a page."""
        engine: Any = self.crawler.engine
        for request in self._feed():
            engine.crawl(request)

    def on_answer(self, response: Response) -> None:
        visit: Visit = response.meta["visit"]
        with self._fatal():
            self._decide(visit, judge_answer(self.job, visit, response), response)
            self._go_on()

    def on_failure(self, failure: Failure) -> None:
        visit: Visit = failure.request.meta["visit"]  # type: ignore[attr-defined]
        with self._fatal():
            self._decide(
                visit, judge_failure(visit, failure.value or RuntimeError("no cause")), None
            )
            self._go_on()

    def _feed(self) -> Iterator[Request]:
        schedule = self.job.schedule
        while not self.failure and schedule.flying < self._room:
            visit = schedule.next()
            if visit is None:
                return
            try:
                self._router.require_public(visit.url)
            except PrivateAddressError as error:
                self._decide(visit, Judgement("refused", message=str(error)), None)
                continue
            yield self._request(visit)

    def _request(self, visit: Visit) -> Request:
        url, headers = self._router.route(visit.url)
        if visit.etag:
            headers["If-None-Match"] = visit.etag
        if visit.last_modified:
            headers["If-Modified-Since"] = visit.last_modified
        meta: dict[str, Any] = {"visit": visit, "download_slot": visit.host}
        if visit.sitemap:
            meta["download_maxsize"] = MAX_SITEMAP_BYTES
        return Request(
            url,
            headers=headers,
            callback=self.on_answer,
            errback=self.on_failure,
            dont_filter=True,
            meta=meta,
        )

    def _decide(self, visit: Visit, verdict: Judgement, response: Response | None) -> None:
        """Archive, then journal, then schedule: in this order a kill loses nothing."""
        if self.failure:
            return
        job = self.job
        now = datetime.now(UTC)
        entry: dict[str, Any] = {"kind": "fetch", "uri_id": uri_id(job.source, visit.url)}
        entry |= {"url": visit.url, "host": visit.host, "depth": visit.depth, "hops": visit.hops}
        entry |= verdict.columns()
        entry["fetched_at"] = now.isoformat()
        if verdict.verdict in _ARCHIVED and response is not None:
            place = job.warc.write(_exchange(visit, response, now, verdict.verdict))
            entry |= {
                "warc_file": f"{job.snapshot}/{place.file}",
                "warc_offset": place.offset,
                "warc_length": place.length,
                "warc_end": place.end,
            }
        job.journal.append({k: v for k, v in entry.items() if v is not None and v != ()})
        job.schedule.decide(visit.url)
        job.grow(entry)
        self._counts[verdict.verdict] += 1
        self._bytes += verdict.bytes

    @contextlib.contextmanager
    def _fatal(self) -> Iterator[None]:
        """Scrapy logs errors of callbacks and goes on; a crawl that cannot write must stop."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or f"{type(error).__name__}: {error}"
            self.logger.exception("the crawl stops")
            raise CloseSpider("failed") from error

    async def _progress(self) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(1)
            self.report_progress(time.monotonic() - started)

    def report_progress(self, seconds: float) -> None:
        """One line on stderr: how far the crawl is."""
        named = ", ".join(f"{name} {count}" for name, count in sorted(self._counts.items()))
        sys.stderr.write(
            f"crawl {self.job.snapshot}: {self.job.schedule.decided} decided "
            f"({named or 'nothing yet'}), {self._bytes / 1e6:.1f} MB in {seconds:.0f} s\n"
        )
        sys.stderr.flush()


def _exchange(visit: Visit, response: Response, now: datetime, verdict: str) -> Exchange:
    request: Any = response.request
    sent = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in request.headers.items()
        for value in values
        if name.lower() != b"host"
    ]
    path = visit.url.split("//", 1)[1]
    path = path[len(visit.host) :]
    return Exchange(
        url=visit.url,
        date=now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        request_line=f"GET {path} HTTP/1.1",
        request_headers=[("Host", visit.host), *sent],
        status_line=f"{response.protocol or 'HTTP/1.1'} {response.status} "
        + ("OK" if response.status == 200 else "Status"),
        response_headers=request.meta["wire"][0],
        body=response.body,
        ip_address=str(response.ip_address) if response.ip_address else None,
        revisit=verdict == "not_modified",
        metadata=[("hopsFromSeed", str(visit.depth)), ("redirects", str(visit.hops))],
    )
