from __future__ import annotations

import pytest

from etl.crawl.config import CrawlConfig
from etl.crawl.traps import trap_of, url_pattern
from etl.crawl.urls import canonical_url

CONFIG = CrawlConfig(contact="a@example.org")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://a.org/en/news/en/news/en/news/en/page", "repeated_path"),
        ("http://a.org/" + "/".join(f"d{n}" for n in range(30)), "long_path"),
        ("http://a.org/list?" + "&".join(f"f{n}=1" for n in range(20)), "many_parameters"),
        ("http://a.org/2024/01/01/a", ""),  # a date, not a repetition
        ("http://a.org/docs/api/docs/api/x", ""),
        ("http://a.org/?a=1&b=2", ""),
        ("http://a.org/", ""),
    ],
)
def test_shapes(url: str, rule: str) -> None:
    assert trap_of(url, CONFIG) == rule


def test_a_calendar_is_one_pattern_and_articles_are_many() -> None:
    days = {url_pattern(f"http://a.org/cal/2026/{m}?day={d}") for m in range(9) for d in range(9)}
    assert len(days) == 1
    sessions = {url_pattern(f"http://a.org/{n:032x}/cart") for n in range(9)}
    assert len(sessions) == 1
    articles = {url_pattern(f"http://a.org/why-{word}-matters") for word in ("tea", "rain", "ink")}
    assert len(articles) == 3


def test_session_ids_are_no_part_of_a_url() -> None:
    drop = CONFIG.drop_parameters
    plain = canonical_url("http://a.org/shop?item=3", drop)
    for url in (
        "http://a.org/shop;jsessionid=0A1B2C?item=3",
        "http://a.org/shop?PHPSESSID=9f8e&item=3",
        "http://a.org/shop?item=3&ASPSESSIONIDQQ=1",
    ):
        assert canonical_url(url, drop) == plain
    assert canonical_url("http://a.org/shop?side=3", drop).endswith("side=3")
