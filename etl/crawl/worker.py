"""`python -m etl.crawl.worker ORDER.json`: one crawl, in a process of its own.

Scrapy's reactor starts once per process and cannot start again, so each crawl has its own. The
process ends with its parent: it watches its standard input, a pipe that the parent holds open.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from etl.crawl.config import CrawlConfig
from etl.crawl.job import CrawlJob, CrawlOrder
from schemas.errors import FoundryError

_MIDDLEWARES = {
    "downloadtimeout.DownloadTimeoutMiddleware": 350,
    "defaultheaders.DefaultHeadersMiddleware": 400,
    "useragent.UserAgentMiddleware": 500,
    "retry.RetryMiddleware": 550,
    "httpcompression.HttpCompressionMiddleware": 590,
}


def scrapy_settings(config: CrawlConfig, log_file: Path) -> dict[str, Any]:
    """Scrapy's settings. Whatever would change a request behind our back is off."""
    return {
        "FOUNDRY_CONFIG": config,
        "USER_AGENT": config.header,
        # What is not listed is off: each costs time a request, and some change what is sent.
        "DOWNLOADER_MIDDLEWARES_BASE": {
            "etl.crawl.robots.RobotsGate": 100,
            **{f"scrapy.downloadermiddlewares.{name}": at for name, at in _MIDDLEWARES.items()},
            "etl.crawl.spider.WireHeaders": 900,
        },
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {},
        "DNS_RESOLVER": "etl.crawl.routing.PublicResolver",
        "CONCURRENT_REQUESTS": config.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": config.concurrency_per_host,
        "DOWNLOAD_DELAY": config.delay_seconds,
        "DOWNLOAD_DELAY_JITTER": 0.0,
        "DOWNLOAD_TIMEOUT": config.timeout_seconds,
        "DOWNLOAD_MAXSIZE": config.max_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "RETRY_TIMES": config.retries,
        "RETRY_HTTP_CODES": [429, 500, 502, 503, 504, 522, 524],
        "RETRY_EXCEPTIONS": [
            "scrapy.exceptions.DownloadConnectionRefusedError",
            "scrapy.exceptions.DownloadFailedError",
            "scrapy.exceptions.ResponseDataLossError",
        ],
        "LOG_LEVEL": "ERROR",
        "LOG_FILE": str(log_file),
    }


def die_with_parent() -> None:
    """Ends this process when its standard input, which the parent holds open, is closed."""

    def watch() -> None:
        while os.read(0, 1):  # the descriptor itself: a buffered reader locks at exit
            pass
        os._exit(75)

    threading.Thread(target=watch, daemon=True).start()


def run(order: CrawlOrder) -> int:
    """Crawls to the end; 0 when nothing is left, 1 with the reason on stderr otherwise."""
    from scrapy.crawler import AsyncCrawlerProcess

    from etl.crawl.spider import SnapshotSpider

    job = CrawlJob(order)
    started = time.monotonic()
    log_file = Path(order.folder) / f"{order.source}.log"
    process = AsyncCrawlerProcess(scrapy_settings(job.config, log_file))
    crawler = process.create_crawler(SnapshotSpider)
    process.crawl(crawler, job=job)
    process.start()
    spider = crawler.spider
    if not isinstance(spider, SnapshotSpider):
        sys.stderr.write(f"the spider did not start; see {log_file}\n")
        return 1
    if not spider.failure and (job.schedule.flying or job.schedule.next() is not None):
        spider.failure = "interrupted"
    if spider.failure:
        job.close()
        sys.stderr.write(f"{spider.failure}; see {log_file}\n")
        return 1
    spider.report_progress(time.monotonic() - started)
    job.finish()
    job.close()
    return 0


def main() -> int:
    die_with_parent()
    try:
        return run(CrawlOrder.read(Path(sys.argv[1])))
    except (FoundryError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
