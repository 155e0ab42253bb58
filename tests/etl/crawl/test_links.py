from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from etl.crawl.links import page_links


def links(html: bytes, **options: object) -> tuple[str, ...]:
    return page_links(html, "http://a.org/dir/page", None, limit=100).links


def test_links_are_resolved_canonical_and_unique() -> None:
    html = b"""<base href="/other/"><a href="x?b=1&amp;a=2#f">1</a><A HREF='x?a=2&b=1'>same</a>
    <area href=y><a rel="nofollow me" href="z">no</a><a href="mailto:x@y.z">no</a>
    <a href="http://[bad">no</a><a>no</a><a href="//b.org:80">b</a>"""
    assert links(html) == (
        "http://a.org/other/x?a=2&b=1", "http://a.org/other/y", "http://b.org/"
    )  # fmt: skip


def test_robots_directives() -> None:
    page = page_links(
        b'<meta name=ROBOTS content="NoIndex, nofollow"><a href=x>', "http://a.org/", None, limit=9
    )
    assert "noindex" in page.directives
    assert page.links == ()
    page = page_links(b'<meta name=robots content="noindex"><a href=x>', "http://a.org/", None,
                      limit=9)  # fmt: skip
    assert "noindex" in page.directives
    assert page.links == ("http://a.org/x",)


def test_the_query_is_escaped_in_the_encoding_of_the_page() -> None:
    html = '<a href="?q=中">'.encode("gb18030")
    found = page_links(html, "http://a.org/", "text/html; charset=gb18030", limit=9)
    assert found.links == ("http://a.org/?q=%D6%D0",)


def test_limits_hold() -> None:
    html = b"".join(b"<a href=%d>" % i for i in range(1_000))
    assert len(page_links(html, "http://a.org/", None, limit=10).links) == 10
    started = time.monotonic()
    page_links(b"<div>" * 300_000, "http://a.org/", None, limit=10)
    assert time.monotonic() - started < 20


def test_time_is_linear_in_the_number_of_links() -> None:
    """A page blocks every other request while it is read: 40,000 links took minutes once."""
    html = b"".join(b'<p><a href="/%d">x</a>' % i for i in range(40_000))
    started = time.process_time()
    assert len(page_links(html, "http://a.org/", None, limit=5_000).links) == 5_000
    assert time.process_time() - started < 10


@given(st.binary(max_size=300), st.sampled_from((None, "text/html; charset=x-none", "text/html")))
def test_any_bytes_have_links_or_none(body: bytes, content_type: str | None) -> None:
    found = page_links(body, "http://a.org/", content_type, limit=5)
    assert all(url.startswith(("http://", "https://")) for url in found.links)
