"""The glue of the token assets: the corpus as it stands in, the token packages' artefacts out.

A part of the documents, chosen by a hash of their URI, is tokenised apart and held out of training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import InputError
from schemas.manifest import BlendManifest, IndexedDatasetManifest, TokenizerManifest
from schemas.report import JobReport
from schemas.tables import CORPUS

if TYPE_CHECKING:
    from orchestration.resources import StoreResource


def build_tokenizer(foundry: StoreResource) -> TokenizerManifest:
    """Trains on the corpus, or adopts the tokenizer.json of the profile."""
    from tokenizers_mm.text.train import train_tokenizer

    config, store = foundry.settings().tokenizer, foundry.store()
    version = store.version(CORPUS)
    frame = None if config.path else store.read(CORPUS, version)
    return train_tokenizer(
        frame, foundry.tokenizer_folder(), config, sources={CORPUS.name: version}
    )


def tokenize_corpus(
    foundry: StoreResource,
) -> tuple[IndexedDatasetManifest, IndexedDatasetManifest, JobReport]:
    """Writes the training and the held-out dataset; their manifests and the counts of both."""
    from tokenizers_mm.indexed.tokenize import split_frame, tokenize_frame

    config, store = foundry.settings().tokens, foundry.store()
    version = store.version(CORPUS)
    if version < 0:
        raise InputError("the corpus does not exist yet; materialise the asset corpus first")
    sides = split_frame(store.read(CORPUS, version), config, column="uri_id")
    (train, first), (held_out, second) = (
        tokenize_frame(
            side,
            prefix,
            foundry.tokenizer_folder(),
            config,
            sources={CORPUS.name: version},
        )
        for side, prefix in zip(sides, foundry.token_prefixes(), strict=True)
    )
    return train, held_out, _sum(first, second)


def _sum(first: JobReport, second: JobReport) -> JobReport:
    rules = sorted({*first.rejected, *second.rejected})
    return JobReport(
        verb=first.verb,
        rows_in=first.rows_in + second.rows_in,
        kept=first.kept + second.kept,
        rejected={
            rule: first.rejected.get(rule, 0) + second.rejected.get(rule, 0) for rule in rules
        },
        quarantined=first.quarantined + second.quarantined,
        bytes_in=first.bytes_in + second.bytes_in,
        seconds=first.seconds + second.seconds,
    ).require_reconciled()


def build_blend(foundry: StoreResource) -> BlendManifest:
    """The data path: the datasets with the profile's weights, and what is held out."""
    from tokenizers_mm.blend.write import write_blend

    text, held_out = foundry.token_prefixes()
    known = {"text": text}
    weights = foundry.settings().blend.weights
    unknown = sorted(set(weights) - set(known))
    if unknown or not weights:
        raise InputError(
            f"blend.weights: {', '.join(unknown) or 'empty'}; name datasets of: {', '.join(known)}"
        )
    return write_blend(
        {known[name]: weight for name, weight in weights.items()},
        foundry.blend_file(),
        validation=[held_out],
    )
