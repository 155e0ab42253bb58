from __future__ import annotations

from typing import Any

import pytest

from etl.crawl.config import CrawlConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("concurrency", 0), ("max_pages", 0), ("max_depth", -1), ("delay_seconds", -0.1),
        ("timeout_seconds", 0), ("user_agent", "two words"), ("user_agent", ""),
        ("contact", "nobody"), ("host_map", {"*": "127.0.0.1"}), ("max_bytes", 0),
    ],
)  # fmt: skip
def test_a_bad_value_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        CrawlConfig(**{field: value})


def test_the_header_names_the_product_and_the_contact() -> None:
    config = CrawlConfig(user_agent="Reader/2.0", contact="https://example.org/bot")
    assert config.header == "Reader/2.0 (+https://example.org/bot)"
    assert config.product == "Reader"


def test_the_profile_can_validate_it() -> None:
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(CrawlConfig)
    assert adapter.validate_python({"allowed_hosts": ["a.org"]}).allowed_hosts == ("a.org",)
    with pytest.raises(ValidationError, match="speed"):
        adapter.validate_python({"speed": 3})
