"""What a crawl may do: who it says it is, how fast, how far, how much."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(/[0-9A-Za-z.+-]+)?")
_CONTACT = re.compile(r"https?://[^\s()]+|[^\s@()]+@[^\s@()]+")
_ADDRESS = re.compile(r"[^\s/:]+:\d{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlConfig:
    """Settings of a crawl. robots.txt (RFC 9309, with Crawl-delay) is always obeyed.

    `user_agent` is a product token (`Name/version`): robots.txt groups are matched on its name.
    `contact` is a URL or an e-mail address of the operator; it is sent in the User-Agent header
    and a crawl refuses to start without one.

    `max_pages` bounds the URLs decided in one snapshot, `max_depth` the links from a seed, and
    `max_bytes` a body, on the wire and decompressed. `delay_seconds` is the least time between
    two requests to one host; a longer Crawl-delay wins, and a host that asks for more than
    `max_crawl_delay_seconds` is refused rather than hurried. `retries` follow a 429 or 5xx answer
    and a broken connection, never a timeout. A URL that failed in `max_failures` snapshots in a
    row is left alone until a changed page links to it again.

    Links are followed on the hosts of the seeds and on `allowed_hosts` (`host` or `host:port`).
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
    timeout_seconds: float = 20.0
    retries: int = 2
    max_redirects: int = 5
    max_failures: int = 3
    allowed_hosts: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    obey_noindex: bool = False
    content_types: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    drop_parameters: tuple[str, ...] = ("utm_*", "gclid", "fbclid", "msclkid", "mc_cid", "mc_eid")
    warc_max_bytes: int = 1_000_000_000
    host_map: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least = {
            "concurrency": 1, "concurrency_per_host": 1, "max_pages": 1, "max_bytes": 1,
            "max_depth": 0, "max_links": 0, "retries": 0, "max_redirects": 0, "max_failures": 1,
            "delay_seconds": 0, "max_crawl_delay_seconds": 0, "warc_max_bytes": 1,
        }  # fmt: skip
        for name, minimum in at_least.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be >= {minimum}")
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
