"""What a host's robots.txt and tdmrep.json say, apart from how they were fetched (RFC 9309)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from etl.crawl.directives import Reservations

MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, 2.5: at least 500 kibibytes must be parsed
MAX_ROBOTS_AGE = 24 * 3600.0  # seconds; RFC 9309, 2.4
MAX_ROBOTS_REDIRECTS = 5  # RFC 9309, 2.3.1.2
_MAX_SITEMAPS = 100  # named by one robots.txt


@dataclass(frozen=True, slots=True)
class Rules:
    """What one host allows. Without a parser: everything, or nothing when `denied` says why.

    `sitemaps` are as robots.txt names them; `expires` is a time on the monotonic clock.
    """

    parser: Any = None
    denied: str = ""
    delay: float = 0.0
    sitemaps: tuple[str, ...] = ()
    reservations: Reservations = field(default_factory=Reservations)
    expires: float = 0.0

    def refusal(self, url: str, product: str) -> str:
        """Why `product` may not fetch the URL; empty when it may."""
        if self.denied:
            return self.denied
        if self.parser and not self.parser.can_fetch(url, product):
            return "disallowed by robots.txt"
        return ""

    def reserves(self, url: str) -> bool:
        """Whether the host's tdmrep.json reserves the URL from text and data mining."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return bool(self.reservations.rules) and self.reservations.reserves(path)


def read_rules(status: int, body: bytes, product: str) -> Rules:
    """The rules that an answer for robots.txt sets for `product` (RFC 9309, 2.3.1)."""
    from protego import Protego

    if status == 429 or status >= 500:
        return Rules(denied=f"robots.txt answered {status}: assumed to forbid all")
    if status != 200:
        return Rules()
    parser = Protego.parse(body[:MAX_ROBOTS_BYTES].decode("utf-8", "replace"))
    named = tuple(islice(parser.sitemaps, _MAX_SITEMAPS))
    return Rules(parser, delay=float(parser.crawl_delay(product) or 0), sitemaps=named)
