"""The licence of an item as an SPDX id: what the platform says, else what the page says.

| platform | field | value | SPDX |
|---|---|---|---|
| YouTube | `license` | Creative Commons Attribution license (reuse allowed) | CC-BY-3.0 |
| YouTube Data API v3 | `status.license` | creativeCommon | CC-BY-3.0 |
| YouTube Data API v3 | `status.license` | youtube | LicenseRef-all-rights-reserved |
| Vimeo | `license` | by, by-sa, by-nc, by-nd, by-nc-sa, by-nc-nd, cc0 | CC-BY-3.0 ... CC0-1.0 |
| SoundCloud | `license` | cc-by, cc-by-sa, ... | LicenseRef-CC-BY ... (no version stated) |
| SoundCloud | `license` | all-rights-reserved, no-rights-reserved | ...-reserved, CC0-1.0 |
| any | `license` | a licence URL, or a name that etl.licence knows | as there |

YouTube's and Vimeo's own pages name version 3.0 of the licences. A value outside of the table is
no licence: it is `unknown`, with the value as evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from etl.extract.guard import refusal as too_complex
from etl.licence.page import Licence, page_licence
from etl.licence.spdx import ALL_RIGHTS_RESERVED, restrictiveness, spdx_from_text
from etl.platforms.config import PlatformConfig
from etl.platforms.gate import Refused
from schemas.identity import UNKNOWN_LICENCE

_YOUTUBE = {
    "creative commons attribution license (reuse allowed)": "CC-BY-3.0",
    "creativecommon": "CC-BY-3.0",
    "youtube": ALL_RIGHTS_RESERVED,
    "standard youtube license": ALL_RIGHTS_RESERVED,
}
_VIMEO = {
    "cc0": "CC0-1.0",
    **{
        kind: f"CC-{kind.upper()}-3.0"
        for kind in ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
    },
}
_SOUNDCLOUD = {"all-rights-reserved": ALL_RIGHTS_RESERVED, "no-rights-reserved": "CC0-1.0"}
PLATFORMS = {"youtube": _YOUTUBE, "vimeo": _VIMEO, "soundcloud": _SOUNDCLOUD}
_MEDIA_OBJECTS = frozenset({"VideoObject", "AudioObject", "MediaObject", "Clip"})
_JSON_LIMIT, _NODES_LIMIT, _HTML_LIMIT = 200_000, 10_000, 5_000_000
_TAGS_LIMIT, _DEPTH_LIMIT = 200_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A licence field of a platform: who states it (an extractor's name, `youtube_api`), what."""

    platform: str
    value: str


def field_licence(statement: Statement) -> Licence:
    """The SPDX id of a platform's licence field, by the table above."""
    evidence = f"{statement.platform} license: {statement.value}"[:300]
    value = statement.value.strip()
    platform = statement.platform.lower().split(":")[0].split("_")[0]
    spdx = PLATFORMS.get(platform, {}).get(value.lower()) or spdx_from_text(value)
    return Licence(spdx or UNKNOWN_LICENCE, evidence)


def is_of_the_page(info: dict[str, Any]) -> bool:
    """Whether the media are the page's own, and not those of a platform that it embeds."""
    return info.get("extractor_key") in (None, "Generic", "HTML5MediaEmbed")


def item_licence(
    statement: Statement | None, info: dict[str, Any], page: tuple[str, bytes] | None
) -> Licence:
    """The licence of an item: what its platform's fields say; without one, what its page says.

    A page does not speak for media that it embeds from a platform. `info` is empty while no
    metadata are known yet.
    """
    found = [field_licence(statement)] if statement else []
    stated = info.get("license")
    if isinstance(stated, str) and stated.strip():
        platform = str(info.get("extractor_key") or "page")
        found.append(field_licence(Statement(platform=platform, value=stated)))
    if found:
        return strictest(found)
    if page and is_of_the_page(info):
        return media_licence(page[1])
    return Licence(UNKNOWN_LICENCE)


def media_licence(html: bytes) -> Licence:
    """What a page says of its video or sound: schema.org's media objects first, then the page."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    source = html[:_HTML_LIMIT].decode("utf-8", "replace").replace("\x00", "")
    if too_complex(source, max_tags=_TAGS_LIMIT, max_depth=_DEPTH_LIMIT):
        return Licence(UNKNOWN_LICENCE, "the page is too complex to be read")
    tree = HTMLTree.parse(source)
    stated = list(_json_ld(tree))
    if stated:
        return strictest(stated)
    return page_licence(source, tree, extract_plain_text(tree))


def refusal(config: PlatformConfig, licence: Licence, host: str) -> Refused | None:
    """Why media under this licence are not taken from `host`, or None."""
    said = f" ({licence.evidence})" if licence.evidence else ""
    if licence.spdx == UNKNOWN_LICENCE:
        if host in config.allow_unknown_from:
            return None
        message = f"no licence that is known{said}; allow_unknown_from may name {host}"
        return Refused("platform.licence_unknown", message)
    if config.admits(licence.spdx):
        return None
    return Refused("platform.licence", f"{licence.spdx}{said} is none of the allowed licences")


def strictest(found: Sequence[Licence]) -> Licence:
    """Of several statements about media the strictest; one that nobody knows counts as such."""
    return max(found, key=lambda one: (one.spdx == UNKNOWN_LICENCE, restrictiveness(one.spdx)))


def _json_ld(tree: Any) -> Iterator[Licence]:
    nodes = tree.document.query_selector_all('script[type="application/ld+json" i]')
    for node in nodes:
        source = node.text or ""
        if "license" not in source or len(source) > _JSON_LIMIT:
            continue
        try:
            value = json.loads(source)
        except (ValueError, RecursionError):
            continue
        for stated in _media_licences(value):
            spdx = spdx_from_text(stated) or UNKNOWN_LICENCE
            yield Licence(spdx, f"schema.org license {stated}"[:300])


def _media_licences(value: Any) -> Iterator[str]:
    """Values of `license` of media objects, by an iterative and bounded walk."""
    waiting, seen = [value], 0
    while waiting and seen < _NODES_LIMIT:
        seen += 1
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            kinds = item.get("@type")
            named = kinds if isinstance(kinds, list) else [kinds]
            stated = item.get("license")
            if any(kind in _MEDIA_OBJECTS for kind in named if isinstance(kind, str)):
                for one in stated if isinstance(stated, list) else [stated]:
                    one = (one.get("@id") or one.get("url")) if isinstance(one, dict) else one
                    if isinstance(one, str):
                        yield one
            waiting += [child for child in item.values() if isinstance(child, list | dict)]
