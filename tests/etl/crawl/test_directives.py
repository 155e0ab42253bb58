from __future__ import annotations

import pytest

from etl.crawl.directives import (
    Reservations,
    directives,
    is_reserved,
    opt_outs,
    robots_directives,
)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["noai, noimageai"], {"noai", "noimageai"}),
        (["NoIndex", "nofollow"], {"noindex", "nofollow"}),
        (["otherbot: noai", "noarchive"], {"noarchive"}),
        (["TokenFoundry: noai, noindex"], {"noai", "noindex"}),
        (["otherbot: noai, noindex"], set()),
        (["max-snippet: -1, noai"], {"max-snippet", "noai"}),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST"], {"unavailable_after"}),
        (["none"], {"none", "noindex", "nofollow"}),
        ([""], set()),
    ],
)
def test_header_directives(values: list[str], found: set[str]) -> None:
    assert robots_directives(values, "TokenFoundry") == found


def test_recorded_opt_outs_have_one_order() -> None:
    assert opt_outs({"tdm-reservation", "follow", "noai"}) == ("noai", "tdm-reservation")
    assert directives(" NoAI ,follow") == {"noai", "follow"}
    assert [is_reserved(value) for value in ("1", " 1 ", "0", "", None, "yes")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


def test_the_longest_reservation_rules() -> None:
    body = b"""[{"location": "/", "tdm-reservation": 1},
        {"location": "/open/*", "tdm-reservation": 0},
        {"location": "/open/*.jpg$", "tdm-reservation": "1"}, {"location": 7}, "x"]"""
    found = Reservations.parse(body)
    reserved = [path for path in ("/", "/a", "/open/a", "/open/a.jpg", "/open/a.jpg?x")
                if found.reserves(path)]  # fmt: skip
    assert reserved == ["/", "/a", "/open/a.jpg"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_tdmrep_reserves_nothing(body: bytes) -> None:
    assert not Reservations.parse(body).reserves("/")


def test_a_pattern_of_many_stars_is_quick() -> None:
    body = b'[{"location": "/' + b"*a" * 30 + b'$", "tdm-reservation": 1}]'
    assert not Reservations.parse(body).reserves("/" + "b" * 5000)
