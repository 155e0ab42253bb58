"""Checks of what is no table: checksums of the tokens, the blend's fit, what training learnt."""

import dagster as dg

from orchestration.metadata import markdown_table
from orchestration.resources import StoreResource


@dg.asset_check(asset="text_tokens", description="Every file has the bytes its manifest says.")
def manifest_checksums(foundry: StoreResource) -> dg.AssetCheckResult:
    """Checksums, sizes, the index against Megatron's own reader, the documents tables."""
    from tokenizers_mm.indexed.verify import verify_dataset

    problems = [
        problem
        for prefix in foundry.token_prefixes()
        for problem in verify_dataset(prefix, tokenizer=foundry.tokenizer_folder())[1]
    ]
    shown = markdown_table(("problem",), [(problem,) for problem in problems[:20]])
    return dg.AssetCheckResult(
        passed=not problems, metadata={"problems": dg.MetadataValue.md(shown)}
    )


@dg.asset_check(
    asset="text_tokens",
    description="Every document of the corpus is in the tokens, or counted as dropped.",
)
def every_document_tokenized(foundry: StoreResource) -> dg.AssetCheckResult:
    """Compared at the version of the corpus that the manifest names: it may have moved on."""
    from pathlib import Path

    from schemas.manifest import IndexedDatasetManifest
    from schemas.tables import CORPUS

    manifests = [
        IndexedDatasetManifest.read(Path(f"{prefix}.manifest.json"))
        for prefix in foundry.token_prefixes()
    ]
    version = manifests[0].sources[CORPUS.name]
    rows = foundry.store().read(CORPUS, version).count()
    tokenized = sum(manifest.documents for manifest in manifests)
    dropped = sum(sum(manifest.rejected.values()) + manifest.quarantined for manifest in manifests)
    return dg.AssetCheckResult(
        passed=rows == tokenized + dropped,
        metadata={
            "corpus": rows,
            "tokenized": tokenized,
            "dropped": dropped,
            "delta_version": version,
        },
    )


@dg.asset_check(asset="tokenizer", description="The file has the checksum its manifest says.")
def tokenizer_checksum(foundry: StoreResource) -> dg.AssetCheckResult:
    from schemas.identity import sha256_hex
    from schemas.manifest import TokenizerManifest

    folder = foundry.tokenizer_folder()
    manifest = TokenizerManifest.read(folder / "tokenizer.manifest.json")
    found = sha256_hex((folder / "tokenizer.json").read_bytes())
    return dg.AssetCheckResult(passed=found == manifest.sha256, metadata={"sha256": found})


@dg.asset_check(asset="blend", description="All sets share one tokenizer and one id space.")
def one_vocabulary(foundry: StoreResource) -> dg.AssetCheckResult:
    from schemas.manifest import BlendManifest, TokenizerManifest

    blend = BlendManifest.read(foundry.blend_file())
    tokenizer = TokenizerManifest.read(foundry.tokenizer_folder() / "tokenizer.manifest.json")
    return dg.AssetCheckResult(
        passed=blend.tokenizer_sha256 == tokenizer.sha256
        and blend.vocabulary_hash == tokenizer.vocabulary.hash,
        metadata={"blend": blend.vocabulary_hash, "tokenizer": tokenizer.vocabulary.hash},
    )


@dg.asset_check(
    asset="training_run",
    description="The model has learnt: held-out loss below the unigram entropy.",
)
def beats_unigram_entropy(foundry: StoreResource) -> dg.AssetCheckResult:
    from orchestration.training_runs import outcome_of, prepare

    folder = prepare(foundry.settings(), foundry.blend_file(), foundry.runs_folder())
    outcome = outcome_of(folder)
    loss, entropy = outcome.validation_loss, outcome.entropy
    return dg.AssetCheckResult(
        passed=loss is not None and entropy is not None and loss < entropy,
        metadata={
            "held_out_loss": loss if loss is not None else "not measured",
            "unigram_entropy": entropy if entropy is not None else "not measured",
        },
    )


ARTEFACT_CHECKS = (
    manifest_checksums,
    every_document_tokenized,
    tokenizer_checksum,
    one_vocabulary,
    beats_unigram_entropy,
)
