"""The batches of one data-parallel rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from training.data.sampler import Sample, ValidationSet
from training.model.parallel import Ranks
from training.recipes.config import LoopConfig

if TYPE_CHECKING:
    import torch


class Sampler(Protocol):
    """Anything that gives sample `number`."""

    def sample(self, number: int) -> Sample: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch: `tokens` and `labels` int64 [b, s], `mask` float [b, s], 1 where counted."""

    tokens: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor
    documents: tuple[tuple[str, ...], ...]


def step_samples(step: int, loop: LoopConfig, ranks: Ranks) -> list[list[int]]:
    """Global sample numbers of this rank's micro-batches in step `step` (from 1).

    The union over the ranks is the step's global batch whatever their number.
    """
    first = (step - 1) * loop.global_batch
    size = loop.micro_batch
    rounds = loop.global_batch // (size * ranks.data_size)
    numbers: list[list[int]] = []
    for turn in range(rounds):
        start = first + (turn * ranks.data_size + ranks.data_rank) * size
        numbers.append(list(range(start, start + size)))
    return numbers


def train_batches(sampler: Sampler, step: int, loop: LoopConfig, ranks: Ranks) -> list[Batch]:
    """This rank's micro-batches of a step."""
    return [
        collate([sampler.sample(number) for number in numbers], counted=len(numbers))
        for numbers in step_samples(step, loop, ranks)
    ]


def validation_batches(samples: ValidationSet, size: int, ranks: Ranks) -> Iterator[Batch]:
    """This rank's share of the held-out samples.

    Every rank yields equally many batches, because expert parallelism exchanges tokens in each:
    the last ones repeat a sample with mask 0.
    """
    mine = range(ranks.data_rank, len(samples), ranks.data_size)
    longest = -(-len(samples) // ranks.data_size)
    for start in range(0, longest, size):
        numbers = mine[start : start + size]
        rows = [samples.sample(number) for number in numbers]
        counted = len(rows)
        rows += [samples.sample(0)] * (size - counted)
        yield collate(rows, counted)


def collate(samples: list[Sample], counted: int) -> Batch:
    """Stack samples; only the first `counted` enter the loss."""
    import torch

    rows = torch.from_numpy(np.stack([sample.tokens for sample in samples]))
    mask = torch.ones(rows.shape[0], rows.shape[1] - 1)
    mask[counted:] = 0
    tokens, labels = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
    if torch.cuda.is_available():
        tokens, labels, mask = tokens.cuda(), labels.cuda(), mask.cuda()
    return Batch(tokens, labels, mask, tuple(sample.documents for sample in samples))


def forward_step(batches: Iterator[Batch], model: torch.nn.Module) -> Any:
    """Megatron's callback: the model's per-token losses and how to reduce them."""
    import torch

    batch = next(batches)
    positions = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    losses = model(
        input_ids=batch.tokens,
        position_ids=positions.expand_as(batch.tokens),
        attention_mask=None,
        labels=batch.labels,
    )

    def reduce(output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        total = (output.float() * batch.mask).sum()
        tokens = batch.mask.sum()
        return total, tokens.to(torch.int), torch.stack([total.detach(), tokens])

    return losses, reduce
