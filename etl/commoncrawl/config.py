"""What is chosen from the index, and how it may be fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from etl.storage.config import S3Config

COMMON_CRAWL = "https://data.commoncrawl.org/"
_PATTERNS = {
    "crawls": r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "languages": r"[a-z]{3}",
    "mime_types": r"[^\s,]+/[^\s,]+",
    "domains": r"[^\s/:]+",
    "hosts": r"[^\s/:]+",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records of the index: all conditions hold, any of a condition's values will do.

    `crawls` and `subset` name partitions (`CC-MAIN-2024-22`; `warc`, `crawldiagnostics`,
    `robotstxt`). `languages` are ISO 639-3 codes, compared with a record's first language;
    `mime_types` with the detected type; `domains` with the registered domain (`bbc.co.uk`); an
    empty condition admits everything. `sample` is the share of records to take, `limit` the most
    of them (0: all); both go by a hash of the record's place, so that they choose the same ones
    every time. A record of more than `max_record_bytes` compressed bytes is rejected unfetched.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    crawls: tuple[str, ...] = ()
    subset: str = "warc"
    languages: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)
    sample: float = 1.0
    limit: int = 0
    max_record_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        if not self.crawls:
            raise ValueError("crawls is empty; name at least one, such as CC-MAIN-2024-22")
        for name, pattern in _PATTERNS.items():
            for value in getattr(self, name):
                if not re.fullmatch(pattern, value):
                    raise ValueError(f"{name}: {value!r} does not look like one ({pattern})")
        if not re.fullmatch(r"[a-z]+", self.subset):
            raise ValueError(f"subset is {self.subset!r}; use warc, crawldiagnostics or robotstxt")
        if not 0 < self.sample <= 1:
            raise ValueError(f"sample is {self.sample}; it must be above 0 and at most 1")
        if self.limit < 0 or self.max_record_bytes < 1:
            raise ValueError("limit must be >= 0 and max_record_bytes >= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeConfig:
    """How files below `base_url` are fetched by range.

    `shares` parts fetch at the same time, each a Spark task; `concurrency` (requests in flight)
    and `requests_per_second` (0: as fast as the server answers) are totals, which the shares
    divide. Ranges of one file that lie at most `gap_bytes` apart become one request of up to
    `request_bytes`. A request has `timeout_seconds`; after 429, 5xx, a broken connection or a
    timeout it is repeated up to `retries` times, after a random time up to `backoff_seconds`
    doubled each time and at most `max_wait_seconds`, or what Retry-After asks for, up to the same
    bound. A share stops after `max_failures` requests in a row that stayed unanswered, because then
    the server is down or has shut us out. From a server that ignores Range, the bytes before the
    wanted ones are read and dropped if they are at most `max_skip_bytes`.

    A record may inflate to `max_inflated_bytes`; a WARC file of ours is closed at `warc_bytes`.
    Names that lead to private addresses are refused unless `allow_private_addresses`. `s3` reaches
    an `s3://` base; retries and requests in flight are counted here, not there.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    base_url: str = COMMON_CRAWL
    user_agent: str = "TokenFoundry/0.1"
    shares: int = 2
    concurrency: int = 32
    requests_per_second: float = 0.0
    gap_bytes: int = 4_096
    request_bytes: int = 4_000_000
    timeout_seconds: float = 60.0
    retries: int = 6
    backoff_seconds: float = 1.0
    max_wait_seconds: float = 300.0
    max_failures: int = 20
    max_skip_bytes: int = 4_000_000
    max_inflated_bytes: int = 64_000_000
    warc_bytes: int = 1_000_000_000
    allow_private_addresses: bool = False
    s3: S3Config = field(default_factory=S3Config)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https", "s3") or not parts.netloc:
            raise ValueError(f"base_url is {self.base_url!r}; write https://host/ or s3://bucket/")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("base_url has credentials, a query or a fragment; leave them out")
        at_least = {
            "shares": 1, "concurrency": 1, "requests_per_second": 0, "gap_bytes": 0,
            "request_bytes": 1, "retries": 0, "backoff_seconds": 0, "max_wait_seconds": 0,
            "max_failures": 1, "max_skip_bytes": 0, "max_inflated_bytes": 1, "warc_bytes": 1,
        }  # fmt: skip
        for name, minimum in at_least.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be >= {minimum}")
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it must be > 0")
        if re.search(r"[\r\n]", self.user_agent) or not self.user_agent.strip():
            raise ValueError("user_agent must be one line that says who asks")

    @property
    def share_concurrency(self) -> int:
        """Requests that one share may have in flight."""
        return max(1, self.concurrency // self.shares)
