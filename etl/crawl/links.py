"""Links and robots directives of a page. The bytes are hostile: every bound is explicit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from etl.crawl.directives import directives, is_reserved
from etl.crawl.urls import UrlRefusedError, canonical_url

_SELECTOR = "a[href], area[href], base[href], meta[name], link[rel~=canonical][href]"


@dataclass(frozen=True, slots=True)
class PageLinks:
    """What a page's markup says to a crawler.

    `links`: targets in document order, each once. `canonical`: of `rel=canonical`, when it is a
    URL. `directives`: of `<meta name=robots>` (or our product's name), and `tdm-reservation`.
    """

    links: tuple[str, ...] = ()
    canonical: str | None = None
    directives: frozenset[str] = frozenset()


def page_links(
    body: bytes,
    base_url: str,
    content_type: str | None,
    *,
    limit: int,
    drop_parameters: Iterable[str] = (),
    product: str = "",
) -> PageLinks:
    """Links of an HTML page: `a` and `area`, resolved against `base`, without rel=nofollow.

    At most `limit` links. Bad markup is read as browsers read it (HTML5, lexbor). `product` is
    our name in `<meta name=PRODUCT content=noindex>`.
    """
    tree, encoding = _parse(body, content_type)
    if tree.document is None:
        return PageLinks()
    said: set[str] = set()
    hrefs: list[str] = []
    base, canonical = base_url, ""
    # One slice: iterating the collection evaluates it anew at every step, which is quadratic and
    # blocked the reactor until requests under way timed out.
    for node in tree.document.query_selector_all(_SELECTOR)[: 2 * limit + 100]:
        if node.tag == "meta":
            said |= _meta(node, product.lower())
        elif node.tag == "base":
            base = _join(base_url, node.getattr("href") or "") or base_url
        elif node.tag == "link":
            canonical = canonical or node.getattr("href") or ""
        elif "nofollow" not in (node.getattr("rel") or "").lower().split() and len(hrefs) < limit:
            hrefs.append(node.getattr("href") or "")
    drop = tuple(drop_parameters)
    links = () if "nofollow" in said else _canonical(hrefs, base, encoding, drop)
    found = _canonical([canonical], base, encoding, drop) if canonical else ()
    return PageLinks(links, found[0] if found else None, frozenset(said))


def _meta(node: Any, product: str) -> frozenset[str]:
    name = (node.getattr("name") or "").strip().lower()
    content = node.getattr("content") or ""
    if name == "robots" or (product and name == product):
        return directives(content)
    if name == "tdm-reservation" and is_reserved(content):
        return frozenset({name})
    return frozenset()


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
