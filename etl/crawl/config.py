"""What a crawl may do: who it says it is, how fast, how far, how much."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from etl.crawl.directives import OPT_OUTS

_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(/[0-9A-Za-z.+-]+)?")
_CONTACT = re.compile(r"https?://[^\s()]+|[^\s@()]+@[^\s@()]+")
_ADDRESS = re.compile(r"[^\s/:]+:\d{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlConfig:
    """Settings of a crawl. robots.txt (RFC 9309, with Crawl-delay) is always obeyed.

    `user_agent` is a product token (`Name/version`): robots.txt groups are matched on its name.
    `contact` is a URL or an e-mail address of the operator; it is sent in the User-Agent header
    and a crawl refuses to start without one.

    `max_pages` bounds the URLs decided in one snapshot, `max_pages_per_host` those of one host,
    `max_pages_per_pattern` those that differ in numbers only (calendars, endless lists),
    `max_depth` the links from a seed, and `max_bytes` a body, on the wire and decompressed.
    URLs with more than `max_path_segments`, with one segment more than `max_segment_repeats`
    times, or with more than `max_parameters` are traps and never visited (`etl.crawl.traps`).
    A page visited before is due again between `min_revisit_days` and `max_revisit_days` after its
    last visit, as its observed rate of change asks (`etl.crawl.revisit`).
    `delay_seconds` is the least time between
    two requests to one host; a longer Crawl-delay wins, and a host that asks for more than
    `max_crawl_delay_seconds` is refused rather than hurried. `retries` follow a 429 or 5xx answer
    and a broken connection, never a timeout; a host that shows strain is asked less often, up to
    `max_delay_seconds` apart (`etl.crawl.pace`). robots.txt is asked for again after
    `robots_max_age_seconds` (RFC 9309, 2.4). A URL that failed in `max_failures` snapshots in a
    row is left alone until a changed page links to it again.

    Links are followed on the hosts of the seeds and on `allowed_hosts` (`host` or `host:port`).
    `sitemaps` follows those that robots.txt names, up to `max_sitemap_urls` URLs each. A page with
    one of the opt-outs in `obey_opt_outs` is not archived; every opt-out is recorded
    (`etl.crawl.directives`).
    `host_map` sends requests for a host (or `*`, every host) as plain HTTP to an `address:port`,
    with the Host header and the recorded URL unchanged: tests serve saved pages in this way.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    user_agent: str = "TokenFoundry/0.1"
    contact: str = ""
    delay_seconds: float = 1.0
    max_crawl_delay_seconds: float = 60.0
    concurrency: int = 32
    concurrency_per_host: int = 4
    max_pages: int = 100_000
    max_depth: int = 32
    max_bytes: int = 5_000_000
    max_links: int = 5_000
    max_pages_per_host: int = 100_000
    max_pages_per_pattern: int = 20_000
    max_path_segments: int = 24
    max_segment_repeats: int = 3
    max_parameters: int = 12
    sitemaps: bool = True
    max_sitemap_urls: int = 50_000
    min_revisit_days: int = 1
    max_revisit_days: int = 60
    max_delay_seconds: float = 60.0
    robots_max_age_seconds: float = 86_400.0
    timeout_seconds: float = 20.0
    retries: int = 2
    max_redirects: int = 5
    max_failures: int = 3
    allowed_hosts: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    obey_opt_outs: tuple[str, ...] = ("noai", "noimageai", "tdm-reservation")
    content_types: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    drop_parameters: tuple[str, ...] = (
        "utm_*", "gclid", "fbclid", "msclkid", "mc_cid", "mc_eid",
        "phpsessid", "jsessionid", "aspsessionid*", "sessionid", "session_id", "cfid", "cftoken",
    )  # fmt: skip
    warc_max_bytes: int = 1_000_000_000
    host_map: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least = {
            "concurrency": 1, "concurrency_per_host": 1, "max_pages": 1, "max_bytes": 1,
            "max_depth": 0, "max_links": 0, "retries": 0, "max_redirects": 0, "max_failures": 1,
            "delay_seconds": 0, "max_crawl_delay_seconds": 0, "warc_max_bytes": 1,
            "max_pages_per_host": 1, "max_pages_per_pattern": 1, "max_path_segments": 1,
            "max_segment_repeats": 1, "max_parameters": 1, "max_sitemap_urls": 0,
            "min_revisit_days": 0, "max_revisit_days": 1, "max_delay_seconds": 0,
            "robots_max_age_seconds": 0,
        }  # fmt: skip
        for name, minimum in at_least.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be >= {minimum}")
        if self.min_revisit_days > self.max_revisit_days:
            raise ValueError(
                f"min_revisit_days is {self.min_revisit_days}, above max_revisit_days "
                f"{self.max_revisit_days}"
            )
        unknown = sorted(set(self.obey_opt_outs) - set(OPT_OUTS))
        if unknown:
            raise ValueError(f"obey_opt_outs has {unknown[0]!r}; choose from {', '.join(OPT_OUTS)}")
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it must be > 0")
        if not _PRODUCT.fullmatch(self.user_agent):
            raise ValueError(f"user_agent is {self.user_agent!r}; write it as Name/version")
        if self.contact and not _CONTACT.fullmatch(self.contact):
            raise ValueError(f"contact is {self.contact!r}; give a URL or an e-mail address")
        for host, address in self.host_map.items():
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"host_map.{host} is {address!r}; write address:port")

    @property
    def product(self) -> str:
        """The name that robots.txt groups are matched on (RFC 9309, 2.2.1)."""
        return self.user_agent.split("/", 1)[0]

    @property
    def header(self) -> str:
        """The User-Agent header."""
        return f"{self.user_agent} (+{self.contact})"
