"""Links and robots directives of a page. The bytes are hostile: every bound is explicit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from etl.crawl.urls import UrlRefusedError, canonical_url


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Canonical targets in document order, each once, and what `meta name=robots` asks for."""

    links: tuple[str, ...] = ()
    noindex: bool = False


def page_links(
    body: bytes,
    base_url: str,
    content_type: str | None,
    *,
    limit: int,
    drop_parameters: Iterable[str] = (),
) -> PageLinks:
    """Links of an HTML page: `a` and `area`, resolved against `base`, without rel=nofollow.

    At most `limit` links. Never raises on bad markup: what libxml2 cannot read has no links.
    """
    root, encoding = _parse(body, content_type)
    if root is None:
        return PageLinks()
    directives: set[str] = set()
    hrefs: list[str] = []
    base = base_url
    for node in root.iter("a", "area", "base", "meta"):
        if node.tag == "meta":
            if (node.get("name") or "").strip().lower() == "robots":
                content = (node.get("content") or "").lower()
                directives.update(part.strip() for part in content.split(","))
        elif node.tag == "base":
            base = _join(base_url, node.get("href") or "") or base_url
        elif "nofollow" not in (node.get("rel") or "").lower().split():
            hrefs.append(node.get("href") or "")
            if len(hrefs) >= limit:
                break
    noindex = bool(directives & {"noindex", "none"})
    if directives & {"nofollow", "none"}:
        return PageLinks(noindex=noindex)
    return PageLinks(_canonical(hrefs, base, encoding, tuple(drop_parameters)), noindex)


def _canonical(
    hrefs: Iterable[str], base: str, encoding: str, drop_parameters: tuple[str, ...]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for href in hrefs:
        target = _join(base, href)
        if not target.startswith(("http://", "https://")):
            continue
        try:
            found[canonical_url(target, drop_parameters, encoding)] = None
        except UrlRefusedError:
            continue
    return tuple(found)


def _join(base: str, href: str) -> str:
    try:
        return urljoin(base, href.strip()) if href.strip() else ""
    except ValueError:
        return ""


def _parse(body: bytes, content_type: str | None) -> tuple[Any, str]:
    """The lxml tree (or None) and the encoding that non-ASCII links are escaped in."""
    from lxml import etree
    from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

    declared = http_content_type_encoding(content_type) or html_body_declared_encoding(body[:4096])
    for encoding in dict.fromkeys((declared or "utf-8", "utf-8")):
        try:
            parser = etree.HTMLParser(
                encoding=encoding, huge_tree=False, no_network=True, remove_comments=True
            )
            return etree.fromstring(body, parser), encoding
        except (etree.LxmlError, LookupError, ValueError):
            continue
    return None, "utf-8"
