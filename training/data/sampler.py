"""Sample number -> tokens and documents: deterministic, random-access, hence resumable.

A dataset's documents are concatenated (each ends in the end-of-document token) and cut into
windows of `seq_length + 1` tokens that overlap by one, as Megatron's GPTDataset cuts them. Each
epoch permutes the shards, and the documents within a shard, with a seed of its own; only the
shard being read is laid out in memory. Shards are written in `doc_id` order, a hash, so every
shard is itself a random sample of its dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

import numpy as np

from schemas.errors import InputError
from training.data.blend import Blend, Dataset, Shard

_FIBONACCI = np.uint64(11400714819323198485)  # 2^64 / golden ratio: a low-discrepancy sequence
_COUNT_BLOCK = 1 << 16
_SHARDS_LAID_OUT = 4

Selection = Literal["all", "train", "held_out"]


@dataclass(frozen=True, slots=True)
class Sample:
    """`tokens` int64 [seq_length + 1]; `documents` are the ids it was cut from, in order."""

    tokens: np.ndarray
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """A shard's documents in reading order: `starts` (int64) counts tokens within the shard."""

    shard: Shard
    order: np.ndarray
    starts: np.ndarray


class DocumentStream:
    """The endless concatenation of the selected documents of one dataset.

    `select`: "train" leaves the held-out documents out, "held_out" takes only them, "all" takes
    everything and opens no index before it is read. `seed` None keeps the order on the disk.
    """

    def __init__(
        self,
        dataset: Dataset,
        seq_length: int,
        *,
        seed: int | None,
        select: Selection = "all",
        fraction: float = 0.0,
    ) -> None:
        self._seq_length = seq_length
        self._seed = seed
        self._shards = dataset.shards
        self._select = select
        self._fraction = fraction
        self._sizes = np.array(
            [self._size(number) for number in range(len(self._shards))], dtype=np.int64
        )
        self.tokens = int(self._sizes.sum())
        # One token more than a window holds is needed at the end: the last one is only a label.
        self.samples_per_epoch = max(self.tokens - 1, 0) // seq_length
        self._layout = lru_cache(maxsize=_SHARDS_LAID_OUT)(self._lay_out)

    def _size(self, number: int) -> int:
        shard = self._shards[number]
        if self._select == "all":
            return shard.tokens
        return int(shard.lengths[self._kept(number)].sum(dtype=np.int64))

    def _kept(self, number: int) -> np.ndarray:
        documents = self._shards[number].documents
        if self._select == "all":
            return np.arange(documents)
        chosen = _held_out(number, documents, self._fraction)
        return np.flatnonzero(chosen if self._select == "held_out" else ~chosen)

    def documents(self) -> Iterator[tuple[Shard, np.ndarray]]:
        """Each shard with the indices of its selected documents."""
        for number, shard in enumerate(self._shards):
            yield shard, self._kept(number)

    def sample(self, number: int) -> Sample:
        """Window `number`, counted over the epochs."""
        epoch, within = divmod(number, self.samples_per_epoch)
        order = self._shard_order(epoch)
        ends = np.cumsum(self._sizes[order])
        position, wanted = within * self._seq_length, self._seq_length + 1
        pieces: list[np.ndarray] = []
        ids: list[str] = []
        slot = int(np.searchsorted(ends, position, side="right"))
        position -= int(ends[slot - 1]) if slot else 0
        while wanted:
            taken = self._take(epoch, int(order[slot]), position, wanted, pieces, ids)
            wanted -= taken
            slot, position = slot + 1, 0
        return Sample(np.concatenate(pieces).astype(np.int64), tuple(ids))

    def _take(
        self,
        epoch: int,
        index: int,
        position: int,
        wanted: int,
        pieces: list[np.ndarray],
        ids: list[str],
    ) -> int:
        """Append up to `wanted` tokens of one shard; the number appended."""
        layout = self._layout(epoch, index)
        taken = 0
        at = int(np.searchsorted(layout.starts, position, side="right")) - 1
        while taken < wanted and at < len(layout.order):
            document = int(layout.order[at])
            offset = position + taken - int(layout.starts[at])
            length = min(wanted - taken, int(layout.starts[at + 1] - layout.starts[at]) - offset)
            pieces.append(layout.shard.tokens_of(document, offset, length))
            ids.append(layout.shard.document_ids[document])
            taken += length
            at += 1
        return taken

    def _shard_order(self, epoch: int) -> np.ndarray:
        if self._seed is None:
            return np.arange(len(self._shards))
        return np.random.default_rng([self._seed, epoch]).permutation(len(self._shards))

    def _lay_out(self, epoch: int, index: int) -> _Layout:
        shard, kept = self._shards[index], self._kept(index)
        if self._seed is not None:
            kept = np.random.default_rng([self._seed, epoch, index]).permutation(kept)
        starts = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum(shard.lengths[kept], dtype=np.int64, out=starts[1:])
        return _Layout(shard, kept, starts)


def _held_out(shard: int, documents: int, fraction: float) -> np.ndarray:
    """bool [documents]: an even `fraction`, at least one of a dataset's, held out by position."""
    position = (np.arange(documents, dtype=np.uint64) + np.uint64(1)) * _FIBONACCI
    chosen = position < np.uint64(fraction * 2.0**64)
    if shard == 0 and documents > 1 and not chosen.any():
        chosen[-1] = True
    return chosen


class TrainSampler:
    """Global sample number -> `Sample`, mixing the blend's datasets by weight.

    Step `s` of a run with global batch `B` sees samples `s * B` to `s * B + B - 1`, however many
    processes share them.
    """

    def __init__(self, blend: Blend, seq_length: int, seed: int, validation_fraction: float):
        self.streams = tuple(
            DocumentStream(
                dataset,
                seq_length,
                seed=seed + number,
                select="all" if blend.validation else "train",
                fraction=validation_fraction,
            )
            for number, dataset in enumerate(blend.train)
        )
        for dataset, stream in zip(blend.train, self.streams, strict=True):
            if stream.samples_per_epoch == 0:
                raise InputError(
                    f"{dataset.prefix}: {stream.tokens} training tokens are fewer than one "
                    f"sample of {seq_length + 1}; add documents or lower model.seq_length"
                )
        weights = np.array([dataset.weight for dataset in blend.train])
        below_one = np.minimum(np.cumsum(weights)[:-1], 1 - 2.0**-53)
        self._bounds = (below_one * 2.0**64).astype(np.uint64)
        self.weights: list[float] = weights.tolist()
        self._counts: list[np.ndarray] = [np.zeros(len(weights), dtype=np.int64)]

    def sample(self, number: int) -> Sample:
        """Training sample `number`, counted from 0 over the whole run."""
        block, within = divmod(number, _COUNT_BLOCK)
        choices = self._choices(block)
        choice = int(choices[within])
        before = self._before(block)[choice] + np.count_nonzero(choices[:within] == choice)
        return self.streams[choice].sample(int(before))

    def _choices(self, block: int) -> np.ndarray:
        """The dataset of each sample of a block: a golden-ratio sequence cut by the weights."""
        first = block * _COUNT_BLOCK
        numbers = np.arange(first + 1, first + 1 + _COUNT_BLOCK, dtype=np.uint64)
        return np.searchsorted(self._bounds, numbers * _FIBONACCI, side="right")

    def _before(self, block: int) -> np.ndarray:
        while len(self._counts) <= block:
            done = np.bincount(self._choices(len(self._counts) - 1), minlength=len(self.weights))
            self._counts.append(self._counts[-1] + done)
        return self._counts[block]


class ValidationSet:
    """A fixed set of held-out samples, the same at every evaluation and in every process."""

    def __init__(self, blend: Blend, seq_length: int, fraction: float, max_samples: int) -> None:
        sources = blend.validation or blend.train
        streams = [
            DocumentStream(
                dataset,
                seq_length,
                seed=None,
                select="all" if blend.validation else "held_out",
                fraction=fraction,
            )
            for dataset in sources
        ]
        longest = max(stream.samples_per_epoch for stream in streams)
        in_turn = (
            (stream, number)
            for number in range(longest)
            for stream in streams
            if number < stream.samples_per_epoch
        )
        self._samples = list(islice(in_turn, max_samples))
        if not self._samples:
            raise InputError(
                f"{sources[0].prefix}: the held-out documents are fewer than one sample of "
                f"{seq_length + 1} tokens; raise data.validation_fraction or add documents"
            )

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, number: int) -> Sample:
        """Sample `number`, from 0 to `len` - 1; the datasets take turns."""
        stream, window = self._samples[number]
        return stream.sample(window)
