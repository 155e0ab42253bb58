from __future__ import annotations

from typing import Any

import pytest

from etl.platforms.config import PlatformConfig


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"max_height": 0}, "max_height"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"item_timeout_seconds": -1}, "item_timeout_seconds"),
        ({"user_agent": "Mozilla/5.0 (X11)"}, "user_agent"),
        ({"contact": "nobody"}, "contact"),
        ({"watch_url": "https://example.org/watch"}, "watch_url"),
    ],
)
def test_bad_settings_are_named(values: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        PlatformConfig(**values)


def test_private_addresses_are_for_named_hosts() -> None:
    config = PlatformConfig(private_hosts=("media.intra", "10.0.0.5:8080"))
    assert config.may_be_private("http://media.intra:99/x")
    assert config.may_be_private("http://10.0.0.5:8080/x")
    assert not config.may_be_private("http://10.0.0.5:8081/x")
