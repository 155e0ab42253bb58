"""From a blend manifest to batches: which document's tokens does each training step see."""

from training.data.blend import Blend, Dataset, Shard, open_blend
from training.data.entropy import unigram_entropy
from training.data.sampler import Sample, TrainSampler, ValidationSet

__all__ = [
    "Blend",
    "Dataset",
    "Sample",
    "Shard",
    "TrainSampler",
    "ValidationSet",
    "open_blend",
    "unigram_entropy",
]
