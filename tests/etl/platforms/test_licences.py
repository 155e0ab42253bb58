from __future__ import annotations

import json

import pytest

from etl.licence.page import Licence
from etl.platforms.config import PlatformConfig
from etl.platforms.licences import (
    Statement,
    field_licence,
    item_licence,
    media_licence,
    refusal,
    source_host,
    strictest,
)
from schemas.identity import UNKNOWN_LICENCE


@pytest.mark.parametrize(
    ("platform", "value", "spdx"),
    [
        ("Youtube", "Creative Commons Attribution license (reuse allowed)", "LicenseRef-CC-BY"),
        ("youtube_api", "creativeCommon", "LicenseRef-CC-BY"),
        ("youtube_api", "youtube", "LicenseRef-all-rights-reserved"),
        ("Vimeo", "by-nc-sa", "CC-BY-NC-SA-3.0"),
        ("Vimeo", "cc0", "CC0-1.0"),
        ("Soundcloud", "cc-by-sa", "LicenseRef-CC-BY-SA"),
        ("Soundcloud", "all-rights-reserved", "LicenseRef-all-rights-reserved"),
        ("PeerTube", "Attribution - Non Commercial - Share Alike", "LicenseRef-CC-BY-NC-SA"),
        ("PeerTube", "Attribution - No Derivatives", "LicenseRef-CC-BY-ND"),
        ("PeerTube", "Public Domain Dedication", "CC0-1.0"),
        ("PeerTube", "Unknown", UNKNOWN_LICENCE),
        ("Jamendo", "by-nc-nd", "LicenseRef-CC-BY-NC-ND"),
        ("KhanAcademy", "cc-by-nc-sa", "LicenseRef-CC-BY-NC-SA"),
        ("Wikimedia.org", "Creative Commons Attribution-Share Alike 4.0", "CC-BY-SA-4.0"),
        ("PeerTube", "https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("Other", "by", UNKNOWN_LICENCE),
        ("Other", "free for all", UNKNOWN_LICENCE),
    ],
)
def test_platform_fields(platform: str, value: str, spdx: str) -> None:
    found = field_licence(Statement(platform=platform, value=value))
    assert found.spdx == spdx
    assert value in str(found.evidence)


@pytest.mark.parametrize(
    ("platform", "value", "uploaded", "spdx"),
    [
        (
            "Youtube",
            "Creative Commons Attribution license (reuse allowed)",
            "20250731",
            "CC-BY-3.0",
        ),
        ("youtube_api", "creativeCommon", "20250801", "CC-BY-4.0"),
        ("Flickr", "Attribution-NonCommercial License", "20200101", "CC-BY-NC-2.0"),
        ("Flickr", "Attribution-ShareAlike", "20250618", "CC-BY-SA-4.0"),
        ("Youtube", "youtube", "20250801", "LicenseRef-all-rights-reserved"),
    ],
)
def test_the_version_follows_the_upload_date(
    platform: str, value: str, uploaded: str, spdx: str
) -> None:
    stated = Statement(platform=platform, value=value, uploaded=uploaded)
    assert field_licence(stated).spdx == spdx


def page(*objects: object, more: str = "") -> bytes:
    scripts = "".join(
        f'<script type="application/ld+json">{json.dumps(one)}</script>' for one in objects
    )
    return f"<html><head>{scripts}</head><body>{more}</body></html>".encode()


def video(licence: object) -> dict[str, object]:
    return {"@type": "VideoObject", "license": licence}


def test_the_media_object_of_a_page_speaks_before_the_page() -> None:
    footer = '<footer><a rel="license" href="https://creativecommons.org/licenses/by/4.0/">c</a>'
    nc = video({"@id": "https://creativecommons.org/licenses/by-nc/4.0/"})
    assert media_licence(page(nc, more=footer)).spdx == "CC-BY-NC-4.0"
    assert media_licence(page(more=footer)).spdx == "CC-BY-4.0"
    assert media_licence(page()).spdx == UNKNOWN_LICENCE
    nested = {"@graph": [{"@type": "WebPage", "video": video("CC BY-SA 4.0")}]}
    assert media_licence(page(nested)).spdx == "CC-BY-SA-4.0"


def test_of_two_statements_the_stricter_and_the_unknown_win() -> None:
    free, unknown = video("CC0 1.0"), video("our own terms")
    assert media_licence(page(free, unknown)).spdx == UNKNOWN_LICENCE
    assert strictest([Licence("CC-BY-3.0"), Licence("CC-BY-NC-3.0")]).spdx == "CC-BY-NC-3.0"


@pytest.mark.parametrize("hostile", [b"", b"\x00\xff" * 1000, b"<div>" * 50_000, b"<script>" * 9])
def test_hostile_pages_state_nothing(hostile: bytes) -> None:
    assert media_licence(hostile).spdx == UNKNOWN_LICENCE


@pytest.mark.parametrize(
    ("spdx", "allowed"),
    [
        ("CC0-1.0", True), ("CC-BY-4.0", True), ("CC-BY-3.0-DE", True), ("CC-BY-SA-4.0", True),
        ("CC-BY-NC-4.0", False), ("CC-BY-ND-4.0", False), ("CC-BY-NC-SA-3.0", False),
        ("LicenseRef-CC-BY", True), ("LicenseRef-CC-BY-NC", False),
        ("LicenseRef-all-rights-reserved", False), ("unknown", False),
    ],
)  # fmt: skip
def test_the_default_allowlist(spdx: str, allowed: bool) -> None:
    assert (refusal(PlatformConfig(), Licence(spdx), "example.org") is None) == allowed


def test_unknown_is_allowed_for_a_named_source_only() -> None:
    config = PlatformConfig(allow_unknown_from=("media.example.org",))
    assert refusal(config, Licence(UNKNOWN_LICENCE), "media.example.org") is None
    assert refusal(config, Licence(UNKNOWN_LICENCE), "example.org") is not None
    stated = Licence("LicenseRef-all-rights-reserved")
    assert refusal(config, stated, "media.example.org") is not None


def test_a_source_that_is_allowed_is_not_allowed_for_what_it_embeds() -> None:
    url = "https://media.example.org/p"
    assert source_host(url, {"extractor_key": "Generic"}) == "media.example.org"
    embedded = {"extractor_key": "Vimeo", "webpage_url": "https://vimeo.com/1"}
    assert source_host(url, embedded) == "vimeo.com"
    assert source_host("http://[broken", {}) == ""


def test_a_page_does_not_speak_for_what_it_embeds() -> None:
    free = ("http://example.org/", page(video("CC0 1.0")))
    assert item_licence(None, {}, free).spdx == "CC0-1.0"
    assert item_licence(None, {"extractor_key": "HTML5MediaEmbed"}, free).spdx == "CC0-1.0"
    assert item_licence(None, {"extractor_key": "Youtube"}, free).spdx == UNKNOWN_LICENCE
    own = {"extractor_key": "Vimeo", "license": "by-nc"}
    assert item_licence(None, own, free).spdx == "CC-BY-NC-3.0"
    found = Statement(platform="youtube_api", value="creativeCommon")
    assert item_licence(found, {"extractor_key": "Youtube"}, None).spdx == "LicenseRef-CC-BY"
    assert item_licence(found, own, None).spdx == "CC-BY-NC-3.0"
