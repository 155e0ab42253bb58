from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.loop.schedule import learning_rate
from training.recipes import OptimizerConfig

CONFIG = OptimizerConfig(lr=1.0, min_lr_ratio=0.1, warmup_steps=10)


@pytest.mark.parametrize(
    ("step", "expected"), [(1, 0.1), (5, 0.5), (10, 1.0), (60, 0.55), (110, 0.1), (200, 0.1)]
)
def test_warm_up_then_cosine_to_a_tenth(step: int, expected: float) -> None:
    assert learning_rate(step, 110, CONFIG) == pytest.approx(expected)


def test_without_warm_up_the_first_step_is_near_the_peak() -> None:
    config = OptimizerConfig(lr=1.0, warmup_steps=0)
    assert 0.99 < learning_rate(1, 100, config) < 1.0


@given(st.integers(1, 500), st.integers(0, 600))
def test_never_above_the_peak_and_falling_after_the_warm_up(steps: int, warmup: int) -> None:
    config = OptimizerConfig(lr=1.0, min_lr_ratio=0.1, warmup_steps=warmup)
    rates = [learning_rate(step, steps, config) for step in range(1, steps + 1)]
    assert max(rates) <= 1.0
    assert min(rates) > 0
    assert all(a >= b for a, b in zip(rates[warmup:], rates[warmup + 1 :], strict=False))
