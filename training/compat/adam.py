"""Megatron's DistributedOptimizer over torch's AdamW (no TransformerEngine or Apex installed).

Three faults of megatron-core 0.16.1 in that combination, each mended here:
- `state_dict` asserts before the first step, because AdamW creates its state lazily;
- loading copies `step` as if it were a sharded tensor of the checkpoint (KeyError);
- loading gives all parameters one shared `step` tensor, which AdamW then advances many times a
  step: training goes on with a wrong bias correction and no error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def is_needed() -> bool:
    """True where neither TransformerEngine nor Apex provides the Adam."""
    from megatron.core.optimizer import distrib_optimizer

    return not distrib_optimizer.HAVE_APEX_OR_TE


def prefill_state(optimizer: Any) -> None:
    """Give every parameter shard the zero state that AdamW would create at its first step."""
    for part in _parts(optimizer):
        for group in part.optimizer.param_groups:
            for shard in group["params"]:
                part.optimizer.state[shard] = {
                    "step": torch.zeros((), dtype=torch.float32),
                    "exp_avg": torch.zeros_like(shard),
                    "exp_avg_sq": torch.zeros_like(shard),
                }
        part._set_main_param_and_optimizer_states = _setter(part)


def separate_steps(optimizer: Any) -> None:
    """After loading: a `step` tensor of its own for every parameter shard."""
    for part in _parts(optimizer):
        for state in part.optimizer.state.values():
            state["step"] = state["step"].clone()


def _parts(optimizer: Any) -> Iterator[Any]:
    yield from getattr(optimizer, "chained_optimizers", [optimizer])


def _setter(part: Any) -> Any:
    def set_states(model_param: torch.nn.Parameter, tensors: dict[str, torch.Tensor]) -> None:
        group_index, group_order = part.model_param_group_index_map[model_param]
        shard = part.optimizer.param_groups[group_index]["params"][group_order]
        targets = {"param": shard, **part.optimizer.state[shard]}
        for name, target in targets.items():
            if name != "step":
                target.copy_(tensors[name])

    return set_states
