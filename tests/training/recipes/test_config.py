from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError
from training.recipes import RECIPES, get_recipe, recipe_from_dict, with_overrides


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_survives_json(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe_from_dict(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="tiny_dense, tiny_moe"):
        get_recipe("huge")


def test_overrides_reach_nested_settings_and_convert_strings() -> None:
    recipe = with_overrides(
        get_recipe("tiny_moe"),
        {"loop.steps": "300", "model.moe.top_k": 1, "model.tie_embeddings": "false"},
    )
    assert (recipe.loop.steps, recipe.model.moe.top_k) == (300, 1)
    assert recipe.model.tie_embeddings is False
    assert recipe.optimizer == get_recipe("tiny_moe").optimizer


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"loop.stepz": 3}, "loop.stepz: unknown"),
        ({"loop.steps.more": 3}, "loop.steps.more: unknown"),
        ({"loop": 3}, "loop: is a section"),
        ({"loop.steps": "many"}, r"loop\.steps"),
        ({"loop.steps": 0}, "steps must be above 0"),
        ({"loop.micro_batch": 3}, "global_batch 8 does not divide"),
        ({"model.attention_heads": 3}, "hidden_size 128 does not divide"),
        ({"model.moe.top_k": 5}, "top_k must lie in 1..4"),
        ({"parallel.expert": 3}, "experts 4 does not divide"),
        ({"parallel.tensor": 2}, "tensor and pipeline"),
        ({"optimizer.beta1": 1.5}, "beta1 must lie in 0..1"),
        ({"data.validation_fraction": 1}, "validation_fraction"),
        ({"loop.precision": "fp4"}, "precision must be fp32 or bf16"),
    ],
)
def test_a_bad_override_names_the_setting(override: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_overrides(get_recipe("tiny_moe"), override)


@given(st.integers(1, 10_000), st.floats(1e-6, 1.0, allow_nan=False), st.sampled_from([1, 2, 4, 8]))
def test_any_valid_override_survives_json(steps: int, rate: float, micro_batch: int) -> None:
    recipe = with_overrides(
        get_recipe("tiny_dense"),
        {"loop.steps": steps, "optimizer.lr": rate, "loop.micro_batch": micro_batch},
    )
    assert recipe_from_dict(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
