from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import InputError
from training.data import TrainSampler, ValidationSet, open_blend
from training.data.sampler import DocumentStream

SEQ = 7


def stream(maker: Any, lengths: list[list[int]], **options: Any) -> DocumentStream:
    first = 0
    shards = []
    for shard in lengths:
        shards.append(maker.counted(shard, first))
        first += sum(shard)
    maker.dataset("text", shards)
    (dataset,) = open_blend(maker.blend({"text": 1.0})).train
    return DocumentStream(dataset, SEQ, **({"seed": None} | options))


def test_windows_in_disk_order_cover_the_concatenation_and_overlap_by_one(maker: Any) -> None:
    lengths = [[5, 9, 2], [30, 4]]
    tokens = stream(maker, lengths)
    assert tokens.tokens == 50
    assert tokens.samples_per_epoch == 7
    windows = [tokens.sample(number).tokens for number in range(7)]
    assert all(len(window) == SEQ + 1 for window in windows)
    rebuilt = np.concatenate([windows[0][:1], *(window[1:] for window in windows)])
    whole = np.concatenate(
        [maker.counted([5, 9, 2])[0], *maker.counted([5, 9, 2])[1:], *maker.counted([30, 4], 16)]
    )
    assert np.array_equal(rebuilt, whole)


def test_a_sample_names_its_documents_in_order(maker: Any) -> None:
    tokens = stream(maker, [[5, 9, 2]])
    ids = next(tokens.documents())[0].document_ids
    assert tokens.sample(0).documents == (ids[0], ids[1])
    assert tokens.sample(1).documents == (ids[1], ids[2])


def test_each_epoch_reads_the_same_tokens_in_another_order(maker: Any) -> None:
    # 50 = 7 * 7 + 1 tokens: the windows use all of them.
    tokens = stream(maker, [[5, 9, 2], [30, 4]], seed=3)
    epochs = [
        np.concatenate(
            [tokens.sample(epoch * 7 + number).tokens[1:] for number in range(7)]
            + [tokens.sample(epoch * 7).tokens[:1]]
        )
        for epoch in range(3)
    ]
    assert Counter(epochs[0].tolist()) == Counter(epochs[1].tolist())
    assert not np.array_equal(epochs[0], epochs[1])
    again = stream(maker, [[5, 9, 2], [30, 4]], seed=3)
    assert np.array_equal(again.sample(9).tokens, tokens.sample(9).tokens)


def test_train_and_held_out_share_no_document_and_miss_none(maker: Any) -> None:
    lengths = [[20] * 60, [20] * 60]
    sides = {
        side: stream(maker, lengths, select=side, fraction=0.1) for side in ("train", "held_out")
    }
    ids = {
        side: {
            shard.document_ids[document] for shard, kept in chosen.documents() for document in kept
        }
        for side, chosen in sides.items()
    }
    assert not ids["train"] & ids["held_out"]
    assert len(ids["train"]) + len(ids["held_out"]) == 120
    assert 8 <= len(ids["held_out"]) <= 16


@pytest.mark.parametrize("weight", [0.7, 0.5, 0.05])
def test_samples_follow_the_weights(maker: Any, weight: float) -> None:
    maker.dataset("a", [maker.counted([40] * 5)])
    maker.dataset("b", [maker.counted([40] * 5, first=100)])
    maker.dataset("held", [maker.counted([40])])
    blend = open_blend(maker.blend({"a": weight, "b": 1 - weight}, {"held": 1.0}))
    sampler = TrainSampler(blend, SEQ, seed=1, validation_fraction=0.1)
    a = set(blend.train[0].shards[0].document_ids)
    from_a = [set(sampler.sample(number).documents) <= a for number in range(200)]
    assert abs(sum(from_a) - 200 * weight) <= 3


def test_a_sampler_started_late_gives_the_same_samples(maker: Any) -> None:
    maker.dataset("a", [maker.counted([40] * 9)])
    maker.dataset("b", [maker.counted([40] * 9, first=100)])
    blend_file = maker.blend({"a": 0.6, "b": 0.4})

    def sampler() -> TrainSampler:
        return TrainSampler(open_blend(blend_file), SEQ, seed=5, validation_fraction=0.2)

    running = sampler()
    for number in range(70_000, 70_003):  # beyond one block of counts
        assert np.array_equal(running.sample(number).tokens, sampler().sample(number).tokens)


def test_too_little_text_is_refused_with_a_remedy(maker: Any) -> None:
    maker.dataset("text", [maker.counted([5, 4])])
    blend = open_blend(maker.blend({"text": 1.0}))
    with pytest.raises(InputError, match="fewer than one sample of 101"):
        TrainSampler(blend, 100, seed=1, validation_fraction=0.1)
    with pytest.raises(InputError, match=r"raise data\.validation_fraction"):
        ValidationSet(blend, 100, 0.1, 4)


def test_the_validation_set_is_fixed_and_bounded(maker: Any, blend_path: Path) -> None:
    blend = open_blend(blend_path)
    samples = ValidationSet(blend, SEQ, 0.1, 5)
    assert len(samples) == 5
    again = ValidationSet(blend, SEQ, 0.1, 5)
    for number in range(5):
        assert np.array_equal(samples.sample(number).tokens, again.sample(number).tokens)


def test_held_out_datasets_take_turns_until_used_up(maker: Any) -> None:
    maker.dataset("a", [maker.counted([40])])
    maker.dataset("b", [maker.counted([2 * SEQ + 1])])
    maker.dataset("c", [maker.counted([4 * SEQ + 1], first=50)])
    blend = open_blend(maker.blend({"a": 1.0}, {"b": 0.5, "c": 0.5}))
    samples = ValidationSet(blend, SEQ, 0.1, 100)
    b, c = (dataset.shards[0].document_ids[0] for dataset in blend.validation)
    order = [samples.sample(number).documents for number in range(len(samples))]
    assert order == [(b,), (c,), (b,), (c,), (c,), (c,)]
