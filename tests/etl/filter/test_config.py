"""Settings: thresholds, and errors that name what is wrong."""

from __future__ import annotations

import pytest

from etl.filter.config import FilterConfig
from etl.filter.judge import judge


def failed(config: FilterConfig) -> list[str]:
    verdict = judge(["some text"], ["eng"], config)
    return [rule for rule, bad in zip(verdict.rules, verdict.failed[0], strict=True) if bad]


def test_a_threshold_of_ones_own_decides() -> None:
    assert "gopher.word_count" in failed(FilterConfig())
    own = FilterConfig(thresholds={"gopher.word_count": 2})
    assert "gopher.word_count" not in failed(own)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"profile": "best"}, "profile"),
        ({"thresholds": {"gopher.words": 3}}, "gopher.words"),
        ({"thresholds": {"c4.curly_bracket": 3}}, "profile c4 has it"),
        ({"thresholds": {"gopher.word_count": float("nan")}}, "gopher.word_count"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FilterConfig(**settings)  # type: ignore[arg-type]
