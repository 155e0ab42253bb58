"""Settings: licences, thresholds, and errors that name what is wrong."""

from __future__ import annotations

import pytest

from etl.filter.config import FilterConfig
from etl.filter.judge import judge


def failed(config: FilterConfig, licences: list[str | None] | None) -> list[list[str]]:
    rows = len(licences) if licences is not None else 1
    verdict = judge(["some text"] * rows, ["eng"] * rows, config, licences)
    return [
        [rule for rule, bad in zip(verdict.rules, row, strict=True) if bad]
        for row in verdict.failed
    ]  # fmt: skip


def test_licences_bind_in_every_profile() -> None:
    licences = ["CC0-1.0", "cc-by-nc-nd-4.0", "unknown", None]
    allow = FilterConfig(profile="none")
    assert failed(allow, licences) == [[], ["licence.forbidden"], [], []]
    reject = FilterConfig(profile="none", licence_unknown="reject")
    assert failed(reject, licences)[2:] == [["licence.unknown"], ["licence.unknown"]]
    assert failed(reject, None) == [[]]


def test_a_threshold_of_ones_own_decides() -> None:
    assert "gopher.word_count" in failed(FilterConfig(), None)[0]
    own = FilterConfig(thresholds={"gopher.word_count": 2})
    assert "gopher.word_count" not in failed(own, None)[0]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"profile": "best"}, "profile"),
        ({"licence_unknown": "maybe"}, "licence_unknown"),
        ({"licences_forbidden": "CC0-1.0"}, "licences_forbidden"),
        ({"thresholds": {"gopher.words": 3}}, "gopher.words"),
        ({"thresholds": {"c4.curly_bracket": 3}}, "profile c4 has it"),
        ({"thresholds": {"gopher.word_count": float("nan")}}, "gopher.word_count"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FilterConfig(**settings)  # type: ignore[arg-type]
