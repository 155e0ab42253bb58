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

    At most `limit` links. Bad markup is read as browsers read it (HTML5, lexbor).
    """
    tree, encoding = _parse(body, content_type)
    if tree.document is None:
        return PageLinks()
    directives: set[str] = set()
    hrefs: list[str] = []
    base = base_url
    found = tree.document.query_selector_all("a[href], area[href], base[href], meta[name]")
    # One slice: iterating the collection evaluates it anew at every step, which is quadratic and
    # blocked the reactor until requests under way timed out.
    for node in found[: 2 * limit + 100]:
        if node.tag == "meta":
            if (node.getattr("name") or "").strip().lower() == "robots":
                content = (node.getattr("content") or "").lower()
                directives.update(part.strip() for part in content.split(","))
        elif node.tag == "base":
            base = _join(base_url, node.getattr("href") or "") or base_url
        elif "nofollow" not in (node.getattr("rel") or "").lower().split():
            hrefs.append(node.getattr("href") or "")
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
    """The HTML5 tree, and the encoding that non-ASCII links are escaped in."""
    from resiliparse.parse.html import HTMLTree
    from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

    declared = http_content_type_encoding(content_type) or html_body_declared_encoding(body[:4096])
    encoding = declared or "utf-8"
    return HTMLTree.parse_from_bytes(body, encoding, errors="replace"), encoding
