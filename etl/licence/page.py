"""What a web page says about its licence: every piece of evidence, and the licence it amounts to.

Read are HTML `rel=license`, the HTTP header `Link` (RFC 8288), schema.org `license` in JSON-LD and
microdata, Dublin Core and other meta tags, RDFa (ccREL), links to a licence beside words that say
so, and the phrases that reserve all rights. `etl.licence.evidence` has the rule for conflicts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etl.licence.context import PICTURE_TYPES, ignored_because, place_of, states_it
from etl.licence.evidence import Evidence, Licence, resolve
from etl.licence.spdx import (
    ALL_RIGHTS_RESERVED,
    says_all_rights_reserved,
    spdx_from_text,
    spdx_from_url,
)

if TYPE_CHECKING:
    from resiliparse.parse.html import HTMLTree

_HINTS = ("icense", "icence", "ICENSE", "ICENCE", "ights", "IGHTS", "creativecommons", "copyright")
_META = "meta[name*=rights i], meta[name*=licen i], meta[property*=licen i], meta[name=copyright i]"
_RDFA = "a[property*=license i], link[property*=license i]"
_JSON_LIMIT = 200_000
_NODES_LIMIT = 10_000
_NODES_MOST = 200  # elements of one kind that are looked at
_HEADER_LIMIT = 8_000
_LINK_HEADER = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[^,;\"]{1,200}(?:\"[^\"]{0,200}\")?){0,9})")
_REL_LICENSE = re.compile(r"""rel\s*=\s*"?[^";]*\blicense\b""", re.IGNORECASE)
# Values of JSON-LD that are the same work; what else a node holds is another.
_SAME_WORK = frozenset({"@graph", "mainEntity", "mainEntityOfPage"})


def page_licence(html: str, tree: HTMLTree, visible_text: str, link: str | None = None) -> Licence:
    """The licence that a page states, with all that was found.

    `html` is the page's source, `tree` the same page parsed, `visible_text` all that a reader sees,
    `link` the HTTP header `Link`, where it is known.
    """
    found = list(_header(link or ""))
    if any(hint in html for hint in _HINTS):
        for statements in (_rel_links, _json_ld, _microdata, _rdfa, _metas, _links):
            found += statements(tree)
    if says_all_rights_reserved(visible_text):
        found.append(Evidence("text", ALL_RIGHTS_RESERVED, "all rights reserved", "text"))
    return resolve(found)


def _nodes(tree: HTMLTree, selector: str) -> Iterator[Any]:
    if tree.document is not None:
        found = tree.document.query_selector_all(selector)
        yield from (found[place] for place in range(min(len(found), _NODES_MOST)))


def _header(link: str) -> Iterator[Evidence]:
    for target, parameters in _LINK_HEADER.findall(link[:_HEADER_LIMIT]):
        spdx = spdx_from_url(target)
        if spdx and _REL_LICENSE.search(parameters):
            yield Evidence("http_link", spdx, target, "HTTP header Link")


def _rel_links(tree: HTMLTree) -> Iterator[Evidence]:
    for node in _nodes(tree, "a[rel~=license i], link[rel~=license i]"):
        href = node.getattr("href") or ""
        if spdx := spdx_from_url(href) or spdx_from_text(node.text or ""):
            yield Evidence("rel_license", spdx, href, place_of(node), ignored_because(node))


def _microdata(tree: HTMLTree) -> Iterator[Evidence]:
    for node in _nodes(tree, "[itemprop~=license i]"):
        value = node.getattr("href") or node.getattr("content") or node.text or ""
        if spdx := spdx_from_text(value):
            yield Evidence("schema_org", spdx, value, place_of(node), ignored_because(node))


def _rdfa(tree: HTMLTree) -> Iterator[Evidence]:
    for node in _nodes(tree, _RDFA):
        href = node.getattr("href") or ""
        if spdx := spdx_from_url(href):
            yield Evidence("rdfa", spdx, href, place_of(node), ignored_because(node))


def _metas(tree: HTMLTree) -> Iterator[Evidence]:
    for node in _nodes(tree, _META):
        name = (node.getattr("name") or node.getattr("property") or "").lower()
        content = node.getattr("content") or ""
        if spdx := spdx_from_text(content):
            kind = "dublin_core" if name.startswith(("dc.", "dc:", "dcterms")) else "meta"
            if name == "copyright" and spdx == ALL_RIGHTS_RESERVED:
                kind = "text"  # it comes with the site's template, as the line in a footer does
            yield Evidence(kind, spdx, content, f"meta {name}", ignored_because(node))


def _links(tree: HTMLTree) -> Iterator[Evidence]:
    """Links to a licence that are not marked as such."""
    for node in _nodes(tree, "a[href*='creativecommons.org/' i]:not([rel~=license i])"):
        href = node.getattr("href") or ""
        if spdx := spdx_from_url(href):
            yield Evidence("link", spdx, href, place_of(node), states_it(node))


def _json_ld(tree: HTMLTree) -> Iterator[Evidence]:
    for node in _nodes(tree, 'script[type="application/ld+json" i]'):
        source = node.text or ""
        if "license" not in source or len(source) > _JSON_LIMIT:
            continue
        try:
            value = json.loads(source)
        except (ValueError, RecursionError):
            continue
        for stated, part, ignored in _json_licences(value):
            if spdx := spdx_from_text(stated):
                kind = "site" if part.endswith("isPartOf") else "schema_org"
                yield Evidence(kind, spdx, stated, f"JSON-LD {part}".strip(), ignored)


def _json_licences(value: Any) -> Iterator[tuple[str, str, str | None]]:
    """(value of `license`, path of keys to it, why it does not count), by a bounded walk."""
    waiting: list[tuple[Any, str, str | None]] = [(value, "", None)]
    seen = 0
    while waiting and seen < _NODES_LIMIT:
        seen += 1
        item, part, ignored = waiting.pop()
        if isinstance(item, list):
            waiting += [(child, part, ignored) for child in item]
        elif isinstance(item, dict):
            kinds = item.get("@type")
            named = kinds if isinstance(kinds, list) else [kinds]
            if any(kind in PICTURE_TYPES for kind in named if isinstance(kind, str)):
                ignored = "picture"
            stated = item.get("license")
            for one in stated if isinstance(stated, list) else [stated]:
                one = (one.get("@id") or one.get("url")) if isinstance(one, dict) else one
                if isinstance(one, str):
                    yield one, part, ignored
            for key, child in item.items():
                if isinstance(child, list | dict) and key != "license":
                    whole = key in _SAME_WORK or key == "isPartOf"
                    why = ignored if whole else ignored or "other_work"
                    waiting.append((child, f"{part} {key}"[:100].strip(), why))
