"""Polite incremental crawling into WARC/1.1, the fetch log and the frontier.

`crawl_snapshot` runs Scrapy in a process of its own, which writes a WARC and a journal; the tables
are committed from the journal. Entry points: `CrawlConfig`, `crawl_snapshot`.
"""

from etl.crawl.config import CrawlConfig
from etl.crawl.snapshot import crawl_snapshot

__all__ = ["CrawlConfig", "crawl_snapshot"]
