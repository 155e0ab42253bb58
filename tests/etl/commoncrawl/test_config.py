from __future__ import annotations

from typing import Any

import pytest

from etl.commoncrawl.config import RangeConfig, Selection


@pytest.mark.parametrize(
    "bad",
    [
        {"crawls": ()}, {"crawls": ("../x",)}, {"languages": ("en",)}, {"sample": 0.0},
        {"sample": 1.5}, {"limit": -1}, {"max_record_bytes": 0}, {"mime_types": ("html",)},
        {"domains": ("https://a.org/",)}, {"hosts": ("a.org:80",)}, {"subset": "a/b"},
    ],
)  # fmt: skip
def test_a_selection_that_cannot_be_meant(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Selection(**{"crawls": ("CC-MAIN-2026-30",)} | bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"base_url": "file:///etc"}, {"base_url": "https://"}, {"base_url": "https://u:p@a.org/"},
        {"base_url": "https://a.org/?x"}, {"shares": 0}, {"concurrency": 0}, {"retries": -1},
        {"timeout_seconds": 0}, {"user_agent": "a\r\nX: y"}, {"request_bytes": 0},
    ],
)  # fmt: skip
def test_a_config_that_cannot_work(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        RangeConfig(**bad)


def test_shares_divide_the_concurrency() -> None:
    assert RangeConfig(shares=4, concurrency=32).share_concurrency == 8
    assert RangeConfig(shares=4, concurrency=2).share_concurrency == 1
