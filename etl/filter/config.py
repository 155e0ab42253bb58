"""Configuration of the filter step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from etl.filter.rules import PROFILES, RULES, Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterConfig:
    """Which rules judge, and at which thresholds.

    `thresholds` maps rule ids of the profile to thresholds of one's own, for every language. Which
    licences may enter is the licence policy's decision (`etl.licence.policy`).

    Raises `ValueError` naming the field or the rule.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    profile: Profile = "default"
    thresholds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile: {self.profile!r} is none of {', '.join(PROFILES)}")
        mine = {rule.id for rule in RULES[self.profile]}
        for rule, value in self.thresholds.items():
            if rule not in mine:
                elsewhere = sorted(p for p in PROFILES if rule in {r.id for r in RULES[p]})
                hint = f"; profile {elsewhere[0]} has it" if elsewhere else ""
                raise ValueError(f"thresholds: profile {self.profile} has no rule {rule!r}{hint}")
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"thresholds: {rule} must be a finite number, not {value!r}")
