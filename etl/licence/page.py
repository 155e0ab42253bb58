"""Where a page states its licence: `rel=license`, JSON-LD, meta tags, links, words.

The strongest kind of statement on the page decides; of several of one kind, the strictest.
A Creative Commons link that is about a picture (in a caption) or merely mentioned in an article is
no statement. Sources: HTML `rel=license`, schema.org `license`, Dublin Core, ccREL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.licence.spdx import (
    ALL_RIGHTS_RESERVED,
    restrictiveness,
    says_all_rights_reserved,
    spdx_from_text,
    spdx_from_url,
)
from schemas.identity import UNKNOWN_LICENCE

if TYPE_CHECKING:
    from resiliparse.parse.html import HTMLTree

_HINTS = ("icense", "icence", "ICENSE", "ICENCE", "ights", "IGHTS", "creativecommons", "copyright")
_META = "meta[name*=rights i], meta[name*=licen i], meta[property*=licen i], meta[name=copyright i]"
_JSON_LIMIT = 200_000
_NODES_LIMIT = 10_000
_PICTURES = frozenset({"ImageObject", "VideoObject", "AudioObject", "MediaObject", "Dataset"})
_LICENCE_WORD = re.compile(
    r"licen[sc]|lizenz|licen[cç]ia|licenza|licentie|lisans|лиценз|ліценз|许可|授权|許可|授權|ライセンス|라이선스|"
    r"ترخيص|רישיון|लाइसेंस|สัญญาอนุญาต|giấy phép|lisensi|leseni|creative commons",
    re.IGNORECASE,
)
_EVIDENCE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Licence:
    """An SPDX id, a `LicenseRef-`, or `unknown`; `evidence` quotes the page."""

    spdx: str
    evidence: str | None = None


def page_licence(html: str, tree: HTMLTree, visible_text: str) -> Licence:
    """The licence that a page states.

    `html` is the page's source, `tree` the same page parsed, `visible_text` all that a reader sees.
    """
    if any(hint in html for hint in _HINTS):
        for statements in (_rel_links(tree), _json_ld(tree), _metas(tree), _links(tree)):
            found = list(statements)
            if found:
                return max(found, key=lambda licence: restrictiveness(licence.spdx))
    if says_all_rights_reserved(visible_text):
        return Licence(ALL_RIGHTS_RESERVED, "text: all rights reserved")
    return Licence(UNKNOWN_LICENCE)


def _nodes(tree: HTMLTree, selector: str) -> Any:
    return tree.document.query_selector_all(selector) if tree.document is not None else ()


def _found(spdx: str | None, evidence: str) -> Iterator[Licence]:
    if spdx:
        yield Licence(spdx, " ".join(evidence.split())[:_EVIDENCE_LENGTH])


def _rel_links(tree: HTMLTree) -> Iterator[Licence]:
    for node in _nodes(tree, "a[rel~=license i], link[rel~=license i]"):
        if not _about_a_picture(node):
            href = node.getattr("href") or ""
            spdx = spdx_from_url(href) or spdx_from_text(node.text or "")
            yield from _found(spdx, f"rel=license {href}")


def _json_ld(tree: HTMLTree) -> Iterator[Licence]:
    for node in _nodes(tree, 'script[type="application/ld+json" i]'):
        source = node.text or ""
        if "license" not in source or len(source) > _JSON_LIMIT:
            continue
        try:
            value = json.loads(source)
        except (ValueError, RecursionError):
            continue
        for stated in _json_licences(value):
            yield from _found(spdx_from_text(stated), f"schema.org license {stated}")


def _json_licences(value: Any) -> Iterator[str]:
    """Values of `license`, outside of pictures, by an iterative and bounded walk."""
    waiting, seen = [value], 0
    while waiting and seen < _NODES_LIMIT:
        seen += 1
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            kinds = item.get("@type")
            named = kinds if isinstance(kinds, list) else [kinds]
            if any(kind in _PICTURES for kind in named if isinstance(kind, str)):
                continue
            stated = item.get("license")
            for one in stated if isinstance(stated, list) else [stated]:
                one = (one.get("@id") or one.get("url")) if isinstance(one, dict) else one
                if isinstance(one, str):
                    yield one
            waiting += [child for child in item.values() if isinstance(child, list | dict)]


def _metas(tree: HTMLTree) -> Iterator[Licence]:
    for node in _nodes(tree, _META):
        content = node.getattr("content") or ""
        name = node.getattr("name") or node.getattr("property") or ""
        yield from _found(spdx_from_text(content), f"meta {name}: {content}")


def _links(tree: HTMLTree) -> Iterator[Licence]:
    """Links to a licence in a footer, or beside a word for licence."""
    for node in _nodes(tree, "a[href*='creativecommons.org/' i]"):
        spdx = spdx_from_url(node.getattr("href") or "")
        if spdx is None or _about_a_picture(node):
            continue
        parent = node.parent
        around = ((parent.text if parent is not None else node.text) or "")[:1000]
        footer = node.closest("footer, [class*=footer i], [id*=footer i]")
        if footer is not None or _LICENCE_WORD.search(around):
            yield from _found(spdx, f"link {node.getattr('href')}")


def _about_a_picture(node: Any) -> bool:
    return node.closest("figure, figcaption, [class*=caption i]") is not None
