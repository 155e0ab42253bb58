"""The weighted data path of a training run: which datasets, in which proportion.

Weights are given, or proportional to tokens (every token then has the same chance). Datasets of
different tokenizers are refused: their ids mean different things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.errors import InputError
from schemas.identity import sha256_hex
from schemas.manifest import BlendEntry, BlendManifest, IndexedDatasetManifest
from tokenizers_mm.indexed.files import write_atomically
from tokenizers_mm.indexed.format import MANIFEST, beside

_ONE_VOCABULARY = ("tokenizer_sha256", "vocabulary_hash", "vocabulary_size", "end_of_document")


def write_blend(
    training: Sequence[str | Path] | Mapping[str, float],
    out: str | Path,
    *,
    validation: Sequence[str | Path] | Mapping[str, float] = (),
) -> BlendManifest:
    """Writes the blend file `out` from dataset prefixes.

    A mapping gives prefix -> weight (any positive scale; stored so that they sum to 1); a sequence
    weighs by tokens. Prefixes below the blend's folder are stored relative to it, others absolute.
    Raises `InputError`, with nothing written, for an incomplete or empty dataset, a bad weight, a
    dataset named twice or on both sides, and datasets of different tokenizers.
    """
    out = Path(out)
    entries, manifests = _entries(training, out, "training")
    held_out, others = _entries(validation, out, "validation") if validation else ((), {})
    both = {entry.prefix for entry in entries} & {entry.prefix for entry in held_out}
    if both:
        raise InputError(f"blend: {min(both)} is in training and in validation; keep it in one")
    reference = _same_vocabulary(manifests | others)
    blend = BlendManifest(
        entries=entries,
        validation=held_out,
        **{name: getattr(reference, name) for name in _ONE_VOCABULARY},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, blend.to_text().encode())
    return blend


def data_path(blend_file: str | Path) -> list[str]:
    """The training side as Megatron-LM's `--data-path`: weight and prefix of every shard in turn.

    A dataset's weight is shared among its shards by their tokens.
    """
    path = Path(blend_file)
    arguments: list[str] = []
    for entry in BlendManifest.read(path).entries:
        prefix = path.parent / entry.prefix  # an absolute prefix stays what it is
        manifest = IndexedDatasetManifest.read(beside(prefix, MANIFEST))
        for shard in manifest.shards:
            weight = entry.weight * shard.tokens / manifest.tokens
            arguments += [f"{weight:.9g}", str(prefix.with_name(shard.name))]
    return arguments


def _entries(
    wanted: Sequence[str | Path] | Mapping[str, float], out: Path, side: str
) -> tuple[tuple[BlendEntry, ...], dict[str, IndexedDatasetManifest]]:
    prefixes = [Path(prefix) for prefix in wanted]
    if not prefixes:
        raise InputError(f"blend: no {side} dataset; name at least one prefix")
    names = [_stored(prefix, out) for prefix in prefixes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"blend: {twice[0]} is named twice for {side}; add up its weights")
    manifests = [IndexedDatasetManifest.read(beside(prefix, MANIFEST)) for prefix in prefixes]
    for prefix, manifest in zip(prefixes, manifests, strict=True):
        if not manifest.tokens:
            raise InputError(
                f"{prefix}: holds no tokens; leave it out of {side}, or raise validation_share"
            )
    given = [float(weight) for weight in wanted.values()] if isinstance(wanted, Mapping) else None
    weights = normalised(given or [float(m.tokens) for m in manifests], names)
    entries = tuple(
        BlendEntry(
            prefix=name,
            weight=weight,
            tokens=manifest.tokens,
            manifest_sha256=sha256_hex(beside(prefix, MANIFEST).read_bytes()),
        )
        for name, weight, manifest, prefix in zip(names, weights, manifests, prefixes, strict=True)
    )
    return entries, dict(zip(map(str, prefixes), manifests, strict=True))


def normalised(weights: list[float], names: list[str]) -> list[float]:
    """Weights that sum to 1. Raises `InputError` naming the dataset of one that is not positive."""
    for weight, name in zip(weights, names, strict=True):
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"blend: weight {weight} of {name}; weights are positive numbers")
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _stored(prefix: Path, out: Path) -> str:
    whole, folder = prefix.resolve(), out.parent.resolve()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _same_vocabulary(manifests: dict[str, IndexedDatasetManifest]) -> IndexedDatasetManifest:
    first, *others = manifests
    for other in others:
        for name in _ONE_VOCABULARY:
            here, there = getattr(manifests[first], name), getattr(manifests[other], name)
            if here != there:
                raise InputError(
                    f"blend: {name} is {str(here)[:16]} in {first} but {str(there)[:16]} in "
                    f"{other}; tokenize one of them again with the other's tokenizer"
                )
    return manifests[first]
