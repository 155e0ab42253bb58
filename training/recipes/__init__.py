"""Training recipes: functions' worth of frozen configuration, by name."""

from training.recipes.catalogue import RECIPES, get_recipe
from training.recipes.config import (
    DataConfig,
    LoopConfig,
    ModelConfig,
    MoEConfig,
    OptimizerConfig,
    ParallelConfig,
    Recipe,
    recipe_from_dict,
    with_overrides,
)

__all__ = [
    "RECIPES",
    "DataConfig",
    "LoopConfig",
    "MoEConfig",
    "ModelConfig",
    "OptimizerConfig",
    "ParallelConfig",
    "Recipe",
    "get_recipe",
    "recipe_from_dict",
    "with_overrides",
]
