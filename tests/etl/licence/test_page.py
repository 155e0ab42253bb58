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


_CC = "creativecommons.org/licenses"
_BY_SA = f"https://{_CC}/by-sa/4.0/"
_ARTICLE = '<article itemscope itemtype="https://schema.org/Article">{}</article>'


@pytest.mark.parametrize(
    ("markup", "spdx"),
    [
        (_ARTICLE.format(f'<link itemprop="license" href="{_BY}">'), "CC-BY-4.0"),
        (f'<meta property="article:license" content="{_BY}">', "CC-BY-4.0"),
        (f'<a property="dct:license" href="{_BY}">x</a>', "CC-BY-4.0"),
        (_ld({"@type": "WebPage", "mainEntity": {"license": _BY}}), "CC-BY-4.0"),
        (_ld({"@type": "Article", "isPartOf": {"license": _BY}}), "CC-BY-4.0"),
        (f'<p>This work is licensed under a <a href="{_BY}">CC BY licence</a>.</p>', "CC-BY-4.0"),
        (f'<p>Unless otherwise noted, content has a <a href="{_BY}">licence</a></p>', "CC-BY-4.0"),
        (f'<p>本作品采用<a href="{_BY_SA}">知识共享许可协议</a></p>', "CC-BY-SA-4.0"),
        (f'<p>If not specified otherwise, this work is <a rel=license href="{_BY}">free</a></p>',
         "CC-BY-4.0"),
        (f'<footer>Recipes and photos, since 2006, {"x" * 80} <a href="{_BY}"></a></footer>',
         "CC-BY-4.0"),
        (f'<p>Dieses Werk steht unter einer <a href="{_BY}">Lizenz</a></p>', "CC-BY-4.0"),
        # A kind that is more specific wins over one that is stricter; within a kind the stricter.
        (f'<meta name="DC.rights" content="{_BY}">'
         '<meta name=copyright content="All rights reserved">', "CC-BY-4.0"),
        (f'<a rel=license href="{_BY}">x</a>' + _ld({"@type": "Article", "license": _BY_NC}),
         "CC-BY-NC-4.0"),
        (f'<a rel=license href="{_BY}">x</a><meta name="dc.rights" content="CC BY">', "CC-BY-4.0"),
    ],
)  # fmt: skip
def test_more_kinds_and_conflicts(markup: str, spdx: str) -> None:
    page = extract_page(f"<html><body>{_TEXT}{markup}</body></html>".encode())
    assert page.licence == spdx, page.licence_statements
    assert any(s.licence == spdx and s.ignored is None for s in page.licence_statements)


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        (f'<p>This text is not licensed under <a href="{_BY}">CC BY</a>.</p>', "negated"),
        (f'<p>This is no longer under the <a rel=license href="{_BY}">licence</a></p>', "negated"),
        (f'<p>本文不采用<a href="{_BY}">知识共享许可</a></p>', "negated"),
        (f'<p>この作品は<a href="{_BY}">CC BY</a>ライセンスではありません</p>', "negated"),
        (f'<p>The <a href="{_BY}">CC BY licence</a> lets others copy a work.</p>', "mentioned"),
        (f'<p>Wikipedia uses a <a href="{_BY}">Creative Commons</a> licence.</p>', "mentioned"),
        (f'<p>This licence, <a href="{_BY}">CC BY</a>, is popular.</p>', "mentioned"),
        (f'<p>Photo by Smith, licence <a href="{_BY}">CC BY</a></p>', "picture"),
        (f'<div class="photo-credit"><a rel=license href="{_BY}">CC BY</a></div>', "picture"),
        (f'<div style="display: none"><a rel=license href="{_BY}">x</a></div>', "hidden"),
        (f'<p hidden>This work: licence <a href="{_BY}">CC BY</a></p>', "hidden"),
        (f'<blockquote><a rel=license href="{_BY}">x</a></blockquote>', "other_work"),
        ('<article>A</article><article><footer>'
         f'<a rel=license href="{_BY}">x</a></footer></article>', "other_work"),
        ('<div itemscope><div itemprop="citation" itemscope>'
         f'<link itemprop="license" href="{_BY}"></div></div>', "other_work"),
        (f'<div about="/photo.jpg"><a rel=license href="{_BY}">x</a></div>', "other_work"),
        (_ld({"@type": "Article", "citation": {"@type": "Book", "license": _BY}}), "other_work"),
        (_ld({"@type": "Article", "image": {"@type": "ImageObject", "license": _BY}}), "picture"),
        (f"<!-- <a rel=license href='{_BY}'>x</a> -->", None),
    ],
)  # fmt: skip
def test_what_is_no_statement_about_the_page(markup: str, why: str | None) -> None:
    """It is kept, with the reason why it does not count."""
    page = extract_page(f"<html><body>{_TEXT}{markup}</body></html>".encode())
    assert page.licence == "unknown", page.licence_statements
    assert [s.ignored for s in page.licence_statements] == ([why] if why else [])


def test_a_page_of_links_is_cut_short() -> None:
    links = "".join(
        f'<p>About <a href="https://{_CC}/by/{n % 9}.0/">it</a></p>' for n in range(3000)
    )
    stated = f'<footer>Text under <a href="{_BY}">CC BY 4.0</a></footer>'
    page = extract_page(f"<html><body>{stated}{links}</body></html>".encode())
    assert page.licence == "CC-BY-4.0"
    assert 1 < len(page.licence_statements) <= 24


@pytest.mark.parametrize(
    ("header", "spdx"),
    [
        (f'<{_BY}>; rel="license"', "CC-BY-4.0"),
        (f'</s.css>; rel=preload, <{_BY_NC}>; title="x"; rel="nofollow license"', "CC-BY-NC-4.0"),
        (f'<{_BY}>; rel="next"', "unknown"),
        ("<" * 9000, "unknown"),
    ],
)  # fmt: skip
def test_the_link_header(header: str, spdx: str) -> None:
    assert extract_page(_TEXT.encode(), link=header).licence == spdx
