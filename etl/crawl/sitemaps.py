"""Sitemaps (sitemaps.org 0.9): URL sets, indexes, plain text; gzip or not. All bounds explicit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from etl.crawl.urls import UrlRefusedError, canonical_url

MAX_SITEMAP_BYTES = 52_428_800  # the protocol's own limit, decompressed
_TEXT_LINE_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Sitemap:
    """Canonical locations in document order, each once: pages, and further sitemaps."""

    pages: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()


class SitemapError(ValueError):
    """What was served is no sitemap; the message says why."""


def read_sitemap(body: bytes, *, limit: int, drop_parameters: Iterable[str] = ()) -> Sitemap:
    """At most `limit` locations. Raises `SitemapError` for what is neither XML nor a URL list."""
    data = _inflated(body)
    found = _xml(data, limit) if data.lstrip()[:1] == b"<" else (_lines(data, limit), [])
    drop = tuple(drop_parameters)
    return Sitemap(*(_canonical(urls, drop) for urls in found))


def _inflated(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body[:MAX_SITEMAP_BYTES]
    unpacker = zlib.decompressobj(31)
    try:
        data = unpacker.decompress(body, MAX_SITEMAP_BYTES)
    except zlib.error as error:
        raise SitemapError(f"damaged gzip: {error}") from None
    if unpacker.unconsumed_tail:
        raise SitemapError(f"more than {MAX_SITEMAP_BYTES} bytes decompressed")
    return data


def _xml(data: bytes, limit: int) -> tuple[list[str], list[str]]:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    pages: list[str] = []
    sitemaps: list[str] = []
    inside = ""
    try:
        for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True):
            name = str(element.tag).rpartition("}")[2]
            if event == "start":
                inside = name if name in ("url", "sitemap") else inside
            elif name == "loc" and element.text:
                (sitemaps if inside == "sitemap" else pages).append(element.text.strip())
                if len(pages) + len(sitemaps) >= limit:
                    break
            elif name in ("url", "sitemap"):
                element.clear()
    except (ParseError, DefusedXmlException, ValueError) as error:
        # What stood before the damage counts: a truncated file is still a list of pages.
        if not pages and not sitemaps:
            raise SitemapError(f"not XML: {error}") from None
    return pages, sitemaps


def _lines(data: bytes, limit: int) -> list[str]:
    lines = data.split(b"\n", limit)[:limit]
    urls = [line.strip()[:_TEXT_LINE_BYTES].decode("utf-8", "replace") for line in lines]
    found = [url for url in urls if url.startswith(("http://", "https://"))]
    if not found:
        raise SitemapError("neither XML nor a list of URLs")
    return found


def _canonical(urls: Iterable[str], drop_parameters: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for url in urls:
        try:
            found[canonical_url(url, drop_parameters)] = None
        except UrlRefusedError:
            continue
    return tuple(found)
