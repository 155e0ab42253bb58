"""Learning rate by step: linear warm-up, then cosine decay (arXiv:1608.03983, one cycle)."""

from __future__ import annotations

import math

from training.recipes.config import OptimizerConfig


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """The rate of step `step` (1 to `steps`).

    Rises linearly to `lr` at `warmup_steps`, falls along a cosine to `lr * min_lr_ratio` at
    `steps`.
    """
    if step <= config.warmup_steps:
        return config.lr * step / config.warmup_steps
    decay_steps = max(steps - config.warmup_steps, 1)
    progress = min((step - config.warmup_steps) / decay_steps, 1.0)
    low = config.lr * config.min_lr_ratio
    return low + (config.lr - low) * 0.5 * (1 + math.cos(math.pi * progress))
