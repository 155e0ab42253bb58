"""What may be taken from platforms: who asks, how fast, how much, under which licences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from etl.crawl.directives import OPT_OUTS
from etl.crawl.urls import in_scope

_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(/[0-9A-Za-z.+-]+)?")
_CONTACT = re.compile(r"https?://[^\s()]+|[^\s@()]+@[^\s@()]+")
_VERSIONED = "-[0-9]*"  # any version and port, but no further term (NC, ND)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfig:
    """Settings of a run over channels, playlists and lists of URLs.

    robots.txt is always obeyed, at every hop and on media hosts too. `contact` is sent in the
    User-Agent header; a run refuses to start without one. `delay_seconds` is the least time
    between two requests to one host; a longer Crawl-delay wins, one over `max_crawl_delay_seconds`
    is refused. What carries an opt-out in `obey_opt_outs` (X-Robots-Tag, a page's robots meta, the
    TDM Reservation Protocol) is refused; every opt-out is recorded.

    `licences` are SPDX ids, or patterns of them, under which media are taken. An item without a
    known licence is refused unless its host is one of `allow_unknown_from`.

    Addresses that are not public are refused, but for the hosts (`host` or `host:port`) in
    `private_hosts`.

    `max_height` bounds the picture in pixels, `max_duration_seconds` the length of an item,
    `max_item_bytes` all of its media, `max_run_bytes` all media of one run, `max_page_bytes` any
    page, manifest or subtitle. An item that takes longer than `item_timeout_seconds` is given up.
    `max_items` bounds the items of one run, `max_depth` lists within lists.

    Subtitles are taken in the languages that match (`*` as wildcard): those of the uploader by
    `subtitle_languages`, those a machine made by `automatic_languages` (YouTube marks the one
    that is no translation with `-orig`).

    Search (YouTube Data API v3) takes its key from the environment variable `api_key_variable`
    and spends at most `quota_units` a run: 100 a page of results, 1 a look-up.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    user_agent: str = "TokenFoundry/0.1"
    contact: str = ""
    delay_seconds: float = 1.0
    max_crawl_delay_seconds: float = 60.0
    timeout_seconds: float = 20.0
    retries: int = 2
    max_redirects: int = 5
    obey_opt_outs: tuple[str, ...] = ("noai", "noimageai", "tdm-reservation")
    private_hosts: tuple[str, ...] = ()
    licences: tuple[str, ...] = (
        "CC0-1.0", "CC-PDM-1.0", f"CC-BY{_VERSIONED}", f"CC-BY-SA{_VERSIONED}",
        "LicenseRef-CC-BY", "LicenseRef-CC-BY-SA",  # the version is not stated
    )  # fmt: skip
    allow_unknown_from: tuple[str, ...] = ()
    max_height: int = 720
    max_duration_seconds: float = 4 * 3600
    max_item_bytes: int = 2_000_000_000
    max_run_bytes: int = 50_000_000_000
    max_page_bytes: int = 20_000_000
    max_items: int = 10_000
    max_depth: int = 3
    item_timeout_seconds: float = 1800
    subtitle_languages: tuple[str, ...] = ("*",)
    automatic_languages: tuple[str, ...] = ("*-orig",)
    thumbnails: bool = False
    api_url: str = "https://www.googleapis.com/youtube/v3"
    api_key_variable: str = "YOUTUBE_API_KEY"
    watch_url: str = "https://www.youtube.com/watch?v={id}"
    quota_units: int = 1_000

    def __post_init__(self) -> None:
        at_least = {
            "delay_seconds": 0, "max_crawl_delay_seconds": 0, "retries": 0, "max_redirects": 0,
            "max_depth": 0, "max_height": 1, "max_item_bytes": 1, "max_run_bytes": 1,
            "max_page_bytes": 1, "max_items": 1, "quota_units": 0,
        }  # fmt: skip
        for name, minimum in at_least.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be >= {minimum}")
        for name in ("timeout_seconds", "item_timeout_seconds", "max_duration_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be > 0")
        if not _PRODUCT.fullmatch(self.user_agent):
            raise ValueError(f"user_agent is {self.user_agent!r}; write it as Name/version")
        if unknown := sorted(set(self.obey_opt_outs) - set(OPT_OUTS)):
            raise ValueError(f"obey_opt_outs has {unknown[0]!r}; choose from {', '.join(OPT_OUTS)}")
        if self.contact and not _CONTACT.fullmatch(self.contact):
            raise ValueError(f"contact is {self.contact!r}; give a URL or an e-mail address")
        if "{id}" not in self.watch_url:
            raise ValueError(f"watch_url is {self.watch_url!r}; it must hold {{id}}")

    @property
    def product(self) -> str:
        """The name that robots.txt groups are matched on (RFC 9309, 2.2.1)."""
        return self.user_agent.split("/", 1)[0]

    @property
    def header(self) -> str:
        """The User-Agent header."""
        return f"{self.user_agent} (+{self.contact})"

    def may_be_private(self, url: str) -> bool:
        """Whether the URL's host may have an address that is not public."""
        return in_scope(url, frozenset(self.private_hosts))

    def admits(self, spdx: str) -> bool:
        """Whether media under this licence are taken."""
        return any(fnmatchcase(spdx, pattern) for pattern in self.licences)
