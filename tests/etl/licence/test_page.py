"""Where a page states its licence, and what is no statement."""

from __future__ import annotations

import json

import pytest

from etl.extract.html import extract_page

_BY = "https://creativecommons.org/licenses/by/4.0/"
_BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
_TEXT = "<p>The harbour was built in three years by the town itself, and paid for by a toll.</p>"
_ARR = "LicenseRef-all-rights-reserved"


def _ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


@pytest.mark.parametrize(
    ("markup", "spdx"),
    [
        (f'<a rel="license nofollow" href="{_BY}">terms</a>', "CC-BY-4.0"),
        (f'<link rel="license" href="{_BY}">', "CC-BY-4.0"),
        (_ld({"@type": "Article", "license": _BY}), "CC-BY-4.0"),
        (_ld({"@graph": [{"@type": "WebPage", "license": {"@id": _BY}}]}), "CC-BY-4.0"),
        (f'<meta name="dcterms.license" content="{_BY}">', "CC-BY-4.0"),
        ('<meta name="DC.rights" content="CC BY-SA 4.0">', "CC-BY-SA-4.0"),
        ('<meta name="copyright" content="X. All rights reserved.">', _ARR),
        (f'<footer>Text under <a href="{_BY}">CC BY 4.0</a></footer>', "CC-BY-4.0"),
        (f'<p>Licensed as <a href="{_BY}">CC BY</a></p>', "CC-BY-4.0"),
        ("<footer>© 2026. Alle Rechte vorbehalten.</footer>", _ARR),
        # The strongest kind decides, and of several the strictest.
        (f'<a rel=license href="{_BY}">x</a><footer>All rights reserved</footer>', "CC-BY-4.0"),
        (f'<a rel=license href="{_BY}">x</a><a rel=license href="{_BY_NC}">y</a>', "CC-BY-NC-4.0"),
        # No statement about the text.
        (f'<figure><figcaption><a rel=license href="{_BY}">x</a></figcaption></figure>', "unknown"),
        (_ld({"@type": "ImageObject", "license": _BY}), "unknown"),
        (f'<p>They met at <a href="{_BY}">an office</a> of that town</p>', "unknown"),
        ("<footer>© 2026 The Daily Ice</footer>", "unknown"),
        ('<script type="application/ld+json">{"license": broken</script>', "unknown"),
        ('<script type="application/ld+json">{"license":' + "[" * 9000 + "</script>", "unknown"),
    ],
)
def test_statements(markup: str, spdx: str) -> None:
    page = extract_page(f"<html><body>{_TEXT}{markup}</body></html>".encode())
    assert page.licence == spdx
    assert (page.licence_evidence is None) == (spdx == "unknown")
