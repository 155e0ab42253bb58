from __future__ import annotations

import gzip
from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.crawl import sitemaps
from etl.crawl.sitemaps import SitemapError, read_sitemap

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*urls: str) -> bytes:
    rows = "".join(f"<url><loc>{escape(url)}</loc><priority>1</priority></url>" for url in urls)
    return f'<?xml version="1.0"?><urlset {NAMESPACE}>{rows}</urlset>'.encode()


def test_url_sets_and_indexes() -> None:
    found = read_sitemap(urlset("http://a.org/?b=1&a=2", "http://a.org/x#f", "ftp://a"), limit=9)
    assert found.pages == ("http://a.org/?a=2&b=1", "http://a.org/x")
    index = f"<sitemapindex {NAMESPACE}><sitemap><loc>\n http://a.org/1.xml </loc></sitemap>"
    found = read_sitemap(index.encode() + b"</sitemapindex>", limit=9)
    assert (found.pages, found.sitemaps) == ((), ("http://a.org/1.xml",))


def test_gzip_and_plain_text() -> None:
    assert read_sitemap(gzip.compress(urlset("http://a.org/x")), limit=9).pages
    found = read_sitemap(b"http://a.org/1\r\nnonsense\nhttps://a.org/2\n", limit=9)
    assert found.pages == ("http://a.org/1", "https://a.org/2")


def test_a_truncated_one_gives_what_stood_before() -> None:
    body = urlset(*(f"http://a.org/{n}" for n in range(50)))
    found = read_sitemap(body[: len(body) // 2], limit=99)
    assert 10 < len(found.pages) < 50


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read_sitemap(urlset(*(f"http://a.org/{n}" for n in range(50))), limit=7).pages) == 7
    monkeypatch.setattr(sitemaps, "MAX_SITEMAP_BYTES", 1000)
    with pytest.raises(SitemapError, match="1000 bytes"):
        read_sitemap(gzip.compress(urlset("http://a.org/x") + b" " * 100_000), limit=9)


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<urlset><url><loc>http://a.org/&b;&b;&b;</loc></url></urlset>"""
EXTERNAL = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>http://a.org/&a;
</loc></url></urlset>"""


@pytest.mark.parametrize("body", [b"", b"hello", b"<html><p>404", BOMB, EXTERNAL, b"\x1f\x8b\x00"])
def test_what_is_no_sitemap_says_why(body: bytes) -> None:
    if body.startswith(b"<html"):
        assert read_sitemap(body + b"</p></html>", limit=9).pages == ()
        return
    with pytest.raises(SitemapError):
        read_sitemap(body, limit=9)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_sitemap_or_an_error(body: bytes) -> None:
    for data in (body, b"<urlset>" + body, b"\x1f\x8b" + body):
        with suppress(SitemapError):
            assert len(read_sitemap(data, limit=5).pages) <= 5
