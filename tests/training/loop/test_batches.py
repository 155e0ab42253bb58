from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data import Sample, ValidationSet, open_blend
from training.loop.batches import collate, step_samples, validation_batches
from training.model.parallel import Ranks
from training.recipes import LoopConfig


def ranks(rank: int, size: int) -> Ranks:
    return Ranks(rank=rank, world_size=size, data_rank=rank, data_size=size)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_ranks_share_the_global_batch_whatever_their_number(size: int) -> None:
    loop = LoopConfig(global_batch=8, micro_batch=2)
    seen = [
        number
        for rank in range(size)
        for numbers in step_samples(3, loop, ranks(rank, size))
        for number in numbers
    ]
    assert sorted(seen) == list(range(16, 24))


def test_labels_are_the_next_tokens_and_padding_does_not_count() -> None:
    sample = Sample(np.arange(5), ("a",))
    batch = collate([sample, sample], counted=1)
    assert batch.tokens.tolist()[0] == [0, 1, 2, 3]
    assert batch.labels.tolist()[0] == [1, 2, 3, 4]
    assert batch.mask.sum(dim=1).tolist() == [4, 0]


def test_every_rank_evaluates_equally_many_batches_and_each_sample_once(blend_path: Path) -> None:
    samples = ValidationSet(open_blend(blend_path), 16, 0.1, 7)
    shares = [list(validation_batches(samples, 2, ranks(rank, 3))) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    counted = sum(int(batch.mask[:, 0].sum()) for share in shares for batch in share)
    assert counted == 7
