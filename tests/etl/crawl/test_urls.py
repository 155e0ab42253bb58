from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.crawl.urls import (
    HOST_PATTERN,
    UrlRefusedError,
    canonical_url,
    host_of,
    hostname_of,
    in_scope,
    is_public,
)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.ORG:80", "http://example.org/"),
        ("https://example.org:443/a?b=2&a=1#top", "https://example.org/a?a=1&b=2"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("http://example.org/?utm_source=x&id=3&gclid=9", "http://example.org/?id=3"),
        ("http://example.org/caf\u00e9", "http://example.org/caf%C3%A9"),
        ("http://\u4f8b\u5b50.example/", "http://xn--fsqu00a.example/"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_one_spelling(url: str, canonical: str) -> None:
    assert canonical_url(url, ("utm_*", "gclid")) == canonical
    assert canonical_url(canonical, ("utm_*", "gclid")) == canonical


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "mailto:a@example.org", "javascript:alert(1)", "//example.org/",
        "http://", "http://user:secret@example.org/", "http://example.org:99999/",
        "http://[bad/", "http://example.org/" + "a" * 3_000, "",
    ],
)  # fmt: skip
def test_what_is_no_identity_is_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        canonical_url(url)


@given(st.text(max_size=60))
def test_any_text_is_canonical_or_refused(text: str) -> None:
    try:
        first = canonical_url("http://example.org/" + text, ("utm_*",))
    except UrlRefusedError:
        return
    assert canonical_url(first, ("utm_*",)) == first
    assert host_of(first) == "example.org"
    found = re.search(HOST_PATTERN, first)
    assert found is not None
    assert found.group(1) == host_of(first)


def test_hosts_and_scope() -> None:
    assert host_of("http://a.org:81/x") == "a.org:81"
    assert hostname_of("http://a.org:81/x") == "a.org"
    assert hostname_of("http://[::1]:81/x") == "::1"
    assert in_scope("http://a.org:81/x", frozenset({"a.org:81"}))
    assert in_scope("http://a.org:81/x", frozenset({"a.org"}))
    assert not in_scope("http://a.org:82/x", frozenset({"a.org:81"}))
    assert not in_scope("http://evil-a.org/", frozenset({"a.org"}))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:4700::1111", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("192.168.0.1", False), ("169.254.169.254", False), ("0.0.0.1", False),
        ("::1", False), ("::ffff:10.0.0.1", False), ("fe80::1", False), ("224.0.0.1", False),
        ("100.64.0.1", False), ("not an address", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
