"""The assets: thin. Each resolves its inputs, calls one domain function and reports."""

from collections.abc import Mapping

import dagster as dg

from orchestration.assets.sources import source_asset
from orchestration.assets.tokens import blend, text_tokens, tokenizer
from orchestration.assets.training import training_run
from orchestration.assets.web import (
    corpus,
    crawl,
    deduplicated,
    documents_asset,
    filtered,
    ledger,
)
from orchestration.sources.config import Source


def build_assets(sources: Mapping[str, Source]) -> list[dg.AssetsDefinition]:
    """The graph, with the profile's sources in front of it."""
    return [
        *(source_asset(source) for source in sources.values()),
        crawl,
        documents_asset(sources),
        ledger,
        filtered,
        deduplicated,
        corpus,
        tokenizer,
        text_tokens,
        blend,
        training_run,
    ]
