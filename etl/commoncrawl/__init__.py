"""Common Crawl: records chosen from its columnar index and fetched by range, and whole segments.

`fetch_records` chooses in Spark and fetches in Spark's tasks; `download_segments` brings whole WARC
and WET files. Entry points: `Selection`, `RangeConfig`, `fetch_records`, `download_segments`,
`ingest_records`, `with_origin`.
"""

from etl.commoncrawl.config import RangeConfig, Selection
from etl.commoncrawl.job import fetch_records
from etl.commoncrawl.origin import ingest_records, with_origin
from etl.commoncrawl.segments import download_segments

__all__ = [
    "RangeConfig",
    "Selection",
    "download_segments",
    "fetch_records",
    "ingest_records",
    "with_origin",
]
