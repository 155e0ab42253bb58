"""One optimizer step and one evaluation, through Megatron's schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.data.sampler import ValidationSet
from training.loop.batches import Batch, forward_step, validation_batches
from training.model.build import build_model, build_optimizer
from training.model.parallel import Ranks
from training.recipes.config import Recipe


class Trainer:
    """Model and optimizer of this process. Every method is a collective call."""

    def __init__(self, recipe: Recipe, vocabulary_size: int, ranks: Ranks) -> None:
        from megatron.core.distributed import finalize_model_grads
        from megatron.core.pipeline_parallel import get_forward_backward_func
        from megatron.core.utils import get_model_config

        self._recipe, self._ranks = recipe, ranks
        self.model: Any = build_model(recipe, vocabulary_size)
        self.optimizer = build_optimizer(recipe, self.model)
        self.parameters = sum(weight.numel() for weight in self.model.parameters())
        self._forward_backward = get_forward_backward_func()
        config = get_model_config(self.model)
        config.finalize_model_grads_func = finalize_model_grads
        config.no_sync_func = self.model.no_sync
        config.grad_scale_func = self.optimizer.scale_loss

    def step(self, batches: Sequence[Batch], rate: float) -> dict[str, float]:
        """One optimizer step over this rank's micro-batches at learning rate `rate`.

        Returns `loss` (nats a token over the global batch), `grad_norm` (before clipping) and, for
        a mixture of experts, the means over layers of the load-balancing and z losses.
        """
        self.model.zero_grad_buffer()
        self.optimizer.zero_grad()
        reduced = self._run(batches, forward_only=False)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_mult", 1.0)
            # 0 for norms: Megatron's own scheduler, not used here, applies the multiplier.
            group["weight_decay"] = self._recipe.optimizer.weight_decay * group.get("wd_mult", 1.0)
        _, grad_norm, _ = self.optimizer.step()
        numbers = {"loss": self._mean(reduced), "grad_norm": float(grad_norm or 0.0)}
        if self._recipe.model.moe.experts:
            numbers |= self._expert_losses(len(batches))
        return numbers

    def evaluate(self, samples: ValidationSet) -> float:
        """Mean loss (nats a token) over the held-out samples."""
        import torch

        batches = list(validation_batches(samples, self._recipe.loop.micro_batch, self._ranks))
        self.model.eval()
        with torch.no_grad():
            reduced = self._run(batches, forward_only=True)
        self.model.train()
        if self._recipe.model.moe.experts:
            self._expert_losses(len(batches))
        return self._mean(reduced)

    def _run(self, batches: Sequence[Batch], *, forward_only: bool) -> list[Any]:
        return self._forward_backward(
            forward_step_func=forward_step,
            data_iterator=iter(batches),
            model=[self.model],
            num_microbatches=len(batches),
            seq_length=self._recipe.model.seq_length,
            micro_batch_size=self._recipe.loop.micro_batch,
            forward_only=forward_only,
        )

    def _mean(self, reduced: list[Any]) -> float:
        """Summed losses and token counts of all micro-batches and ranks -> nats a token."""
        import torch
        from megatron.core import parallel_state

        total = torch.stack(reduced).double().sum(dim=0)
        torch.distributed.all_reduce(total, group=parallel_state.get_data_parallel_group())
        return float(total[0] / total[1])

    def _expert_losses(self, micro_batches: int) -> dict[str, float]:
        from megatron.core.transformer.moe import moe_utils

        moe_utils.reduce_aux_losses_tracker_across_ranks()
        numbers = {
            name: float(entry["values"].float().mean()) / micro_batches
            for name, entry in moe_utils.get_moe_layer_wise_logging_tracker().items()
        }
        moe_utils.clear_aux_losses_tracker()
        return numbers
