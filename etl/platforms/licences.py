"""The licence of an item as an SPDX id: what the platform says, else what the page says.

| platform | value of the licence field | SPDX |
|---|---|---|
| YouTube | Creative Commons Attribution license (reuse allowed) | CC-BY-* |
| YouTube | creativeCommon (API) | CC-BY-* |
| YouTube | youtube (API), Standard YouTube License | LicenseRef-all-rights-reserved |
| Flickr | Attribution, Attribution-ShareAlike, ... | CC-BY-*, CC-BY-SA-*, ... |
| Vimeo | by, by-sa, by-nc, by-nd, by-nc-sa, by-nc-nd, cc0 | CC-BY-3.0, ..., CC0-1.0 |
| Jamendo | by, by-sa, ... | LicenseRef-CC-BY, ... |
| SoundCloud | cc-by, cc-by-sa, ... | LicenseRef-CC-BY, ... |
| SoundCloud | all-rights-reserved, no-rights-reserved | LicenseRef-all-rights-reserved, CC0-1.0 |
| PeerTube | Attribution, ..., Public Domain Dedication | LicenseRef-CC-BY, ..., CC0-1.0 |
| any | a licence URL, or a name that etl.licence knows | as there |

*: the version follows the upload date. YouTube went from 3.0 to 4.0 on 2025-08-01, Flickr from 2.0
to 4.0 on 2025-06-18; without a date it is LicenseRef-CC-BY (sources: toolforge/video2commons #276
and #314, Flickr's announcement). Vimeo's pages link version 3.0. A value outside of the table is no
licence: it is `unknown`, with the value as evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from etl.extract.guard import refusal as too_complex
from etl.licence.evidence import Licence
from etl.licence.page import page_licence
from etl.licence.spdx import ALL_RIGHTS_RESERVED, restrictiveness, spdx_from_text
from etl.platforms.config import PlatformConfig
from etl.platforms.gate import Refused
from schemas.identity import UNKNOWN_LICENCE

_KINDS = ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
_PLATFORMS: dict[str, dict[str, str]] = {
    "youtube": {
        "creative commons attribution license (reuse allowed)": "LicenseRef-CC-BY",
        "creativecommon": "LicenseRef-CC-BY",
        "youtube": ALL_RIGHTS_RESERVED,
        "standard youtube license": ALL_RIGHTS_RESERVED,
    },
    "vimeo": {"cc0": "CC0-1.0", **{kind: f"CC-{kind.upper()}-3.0" for kind in _KINDS}},
    "jamendo": {kind: f"LicenseRef-CC-{kind.upper()}" for kind in _KINDS},
    "soundcloud": {
        "all-rights-reserved": ALL_RIGHTS_RESERVED, "no-rights-reserved": "CC0-1.0",
    },
    "peertube": {"public domain dedication": "CC0-1.0"},
}  # fmt: skip
_WITHOUT_CC = ("peertube", "flickr")  # they say "Attribution" and mean Creative Commons'
_VERSIONS = {  # platform: the first day (YYYYMMDD) of the new version, the old one, the new one
    "youtube": ("20250801", "3.0", "4.0"),
    "flickr": ("20250618", "2.0", "4.0"),
}
_MEDIA_OBJECTS = frozenset({"VideoObject", "AudioObject", "MediaObject", "Clip"})
_JSON_LIMIT, _NODES_LIMIT, _HTML_LIMIT = 200_000, 10_000, 5_000_000
_TAGS_LIMIT, _DEPTH_LIMIT = 200_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A licence field of a platform: who states it (an extractor's name, `youtube_api`), what.

    `uploaded` (YYYYMMDD) tells the version where the platform changed it.
    """

    platform: str
    value: str
    uploaded: str = ""


def field_licence(statement: Statement) -> Licence:
    """The SPDX id of a platform's licence field, by the table above."""
    evidence = f"{statement.platform} license: {statement.value}"[:300]
    value = statement.value.strip()
    platform = statement.platform.lower().split(":")[0].split("_")[0]
    spdx = _PLATFORMS.get(platform, {}).get(value.lower())
    if spdx is None:
        prefix = "Creative Commons " if platform in _WITHOUT_CC else ""
        spdx = spdx_from_text(prefix + value) or UNKNOWN_LICENCE
    if platform in _VERSIONS and statement.uploaded and spdx.startswith("LicenseRef-CC-"):
        since, old, new = _VERSIONS[platform]
        version = new if statement.uploaded >= since else old
        spdx = f"{spdx.removeprefix('LicenseRef-')}-{version}"
    return Licence(spdx, evidence)


def is_of_the_page(info: dict[str, Any]) -> bool:
    """Whether the media are the page's own, and not those of a platform that it embeds."""
    return info.get("extractor_key") in (None, "Generic", "HTML5MediaEmbed")


def source_host(url: str, info: dict[str, Any]) -> str:
    """The host whose media these are: the platform's, where the page at `url` embeds one."""
    page_url = None if is_of_the_page(info) else info.get("webpage_url")
    try:
        return urlsplit(page_url if isinstance(page_url, str) else url).hostname or ""
    except ValueError:
        return ""


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
        uploaded = info.get("upload_date") if isinstance(info.get("upload_date"), str) else ""
        found.append(
            field_licence(Statement(platform=platform, value=stated, uploaded=uploaded or ""))
        )
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
