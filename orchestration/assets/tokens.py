"""From the corpus to what a trainer reads: tokenizer, text_tokens, blend. Not partitioned."""

from pathlib import Path

import dagster as dg

from orchestration.metadata import markdown_table, report_metadata
from orchestration.resources import StoreResource
from schemas.tables import CORPUS

_CORPUS = dg.AssetDep("corpus", partition_mapping=dg.AllPartitionMapping())


@dg.asset(deps=[_CORPUS], group_name="tokens", kinds={"huggingface"})
def tokenizer(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> dg.MaterializeResult[None]:
    """The byte-level BPE trained on the corpus, or the tokenizer.json that the profile names."""
    from orchestration.tokens import build_tokenizer

    manifest = build_tokenizer(foundry)
    context.log.info(f"tokenizer {manifest.name}: {manifest.vocabulary.size} ids")
    specials = sorted(manifest.vocabulary.specials.items(), key=lambda item: item[1])
    return dg.MaterializeResult(
        metadata={
            "name": manifest.name,
            "sha256": manifest.sha256,
            "vocabulary_size": manifest.vocabulary.size,
            "vocabulary_hash": manifest.vocabulary.hash,
            "specials": dg.MetadataValue.md(markdown_table(("token", "id"), specials)),
            "path": dg.MetadataValue.path(str(foundry.tokenizer_folder())),
            "config_hash": foundry.settings().stage_hash("tokenizer"),
        }
    )


@dg.asset(deps=[_CORPUS, tokenizer], group_name="tokens", kinds={"spark", "megatron"})
def text_tokens(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> dg.MaterializeResult[None]:
    """The corpus as Megatron `.bin/.idx` shards with their documents table and manifest."""
    from orchestration.tokens import tokenize_corpus

    train, held_out, report = tokenize_corpus(foundry)
    context.log.info(
        f"text_tokens: {train.tokens} tokens of {train.documents} documents, "
        f"{held_out.tokens} of {held_out.documents} held out"
    )
    rows = [
        (role, shard.name, shard.documents, shard.tokens)
        for role, manifest in (("train", train), ("held out", held_out))
        for shard in manifest.shards[:20]
    ]
    shards = markdown_table(("role", "shard", "documents", "tokens"), rows)
    shown = report_metadata(report, foundry.settings().stage_hash("tokens"))
    return dg.MaterializeResult(
        metadata=shown
        | {
            "dagster/row_count": train.documents + held_out.documents,
            "tokens": train.tokens + held_out.tokens,
            "shards": dg.MetadataValue.md(shards),
            "path": dg.MetadataValue.path(f"{foundry.token_prefixes()[0]}.manifest.json"),
            "delta_version": train.sources[CORPUS.name],
        }
    )


@dg.asset(deps=[text_tokens], group_name="tokens", kinds={"megatron"})
def blend(context: dg.AssetExecutionContext, foundry: StoreResource) -> dg.MaterializeResult[None]:
    """The weighted data path of training, and what is held out of it."""
    from orchestration.tokens import build_blend

    manifest = build_blend(foundry)
    context.log.info(f"blend: {len(manifest.entries)} sets")
    rows = [
        (role, Path(entry.prefix).name, entry.weight, entry.tokens)
        for role, entries in (("train", manifest.entries), ("held out", manifest.validation))
        for entry in entries
    ]
    return dg.MaterializeResult(
        metadata={
            "entries": dg.MetadataValue.md(
                markdown_table(("role", "set", "weight", "tokens"), rows)
            ),
            "vocabulary_hash": manifest.vocabulary_hash,
            "path": dg.MetadataValue.path(str(foundry.blend_file())),
            "config_hash": foundry.settings().stage_hash("blend"),
        }
    )
