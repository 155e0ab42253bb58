"""The unigram entropy of the training tokens: the loss of a model that ignores all context.

A language model has learnt something exactly when its held-out loss is below it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.sampler import DocumentStream

_MAX_PIECE = 1 << 20


def unigram_entropy(
    streams: Sequence[DocumentStream],
    weights: Sequence[float],
    vocabulary_size: int,
    max_tokens: int,
) -> float:
    """-sum p ln p in nats a token, p being the blend's token frequencies.

    At most `max_tokens` are counted, shared by the datasets, from whole documents spread evenly
    over each of them.
    """
    share = np.zeros(vocabulary_size)
    for stream, weight in zip(streams, weights, strict=True):
        counts = _count(stream, vocabulary_size, max_tokens // len(streams))
        share += weight * counts / counts.sum()
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def _count(stream: DocumentStream, vocabulary_size: int, max_tokens: int) -> np.ndarray:
    stride = max(1, -(-stream.tokens // max(max_tokens, 1)))
    counts = np.zeros(vocabulary_size, dtype=np.int64)
    for shard, kept in stream.documents():
        for document in kept[::stride]:
            length = int(shard.lengths[document])
            for offset in range(0, length, _MAX_PIECE):
                piece = shard.tokens_of(int(document), offset, min(_MAX_PIECE, length - offset))
                counts += np.bincount(piece, minlength=vocabulary_size)
    return counts
