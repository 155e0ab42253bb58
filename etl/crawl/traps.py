"""Crawl traps: URLs that a site makes without end, told by their shape.

A trap is never visited. Shapes: a path that repeats itself (a relative link to a folder), a path
of very many segments, a query of very many parameters. Calendars and faceted lists, whose single
URLs look harmless, are cut by a budget per pattern (`url_pattern`; `Schedule`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from etl.crawl.config import CrawlConfig

_DIGITS = re.compile(r"\d+")
_LONG_WORD = re.compile(r"[0-9a-fA-F-]{16,}")


def trap_of(url: str, config: CrawlConfig) -> str:
    """The rule that a canonical URL breaks, or "" when it looks like any page."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    if len(segments) > config.max_path_segments:
        return "long_path"
    if segments and max(Counter(segments).values()) > config.max_segment_repeats:
        return "repeated_path"
    if parts.query and parts.query.count("&") + 1 > config.max_parameters:
        return "many_parameters"
    return ""


def url_pattern(url: str) -> str:
    """A URL with its numbers and hashes blanked and its parameters reduced to their names.

    The pages of a calendar, an endless list or a session share one pattern.
    """
    parts = urlsplit(url)
    path = _DIGITS.sub("0", _LONG_WORD.sub("x", parts.path))
    names = "&".join(pair.partition("=")[0] for pair in parts.query.split("&"))
    return f"{parts.netloc}{path}?{names}"
