from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from training.data import open_blend, unigram_entropy
from training.data.sampler import DocumentStream


def streams(maker: Any, **documents: list[np.ndarray]) -> list[DocumentStream]:
    for name, listed in documents.items():
        maker.dataset(name, [listed])
    blend = open_blend(maker.blend(dict.fromkeys(documents, 1 / len(documents))))
    return [DocumentStream(dataset, 4, seed=None) for dataset in blend.train]


def test_entropy_of_known_frequencies(maker: Any) -> None:
    # Half of the tokens are 1, a quarter 2, a quarter the end of a document.
    chosen = streams(maker, text=[np.array([1, 2, 1, 0]), np.array([1, 1, 2, 0])])
    expected = 0.5 * math.log(2) + 0.5 * math.log(4)
    assert unigram_entropy(chosen, [1.0], 256, 1000) == pytest.approx(expected)


def test_entropy_of_a_blend_is_of_its_mixture(maker: Any) -> None:
    chosen = streams(maker, a=[np.array([1, 0])], b=[np.array([2, 0])])
    assert unigram_entropy(chosen, [0.75, 0.25], 256, 1000) == pytest.approx(
        0.375 * -math.log(0.375) + 0.125 * -math.log(0.125) + 0.5 * math.log(2)
    )


def test_a_bounded_count_stays_close(maker: Any) -> None:
    chosen = streams(maker, text=maker.markov(3, 400))
    whole = unigram_entropy(chosen, [1.0], 256, 10**9)
    assert unigram_entropy(chosen, [1.0], 256, 10_000) == pytest.approx(whole, rel=0.02)
