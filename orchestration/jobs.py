"""The jobs: bring a snapshot into the corpus; that with tokens and a training run; one a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.partitions import source_key
from orchestration.sources.waiting import job_name

if TYPE_CHECKING:
    from orchestration.sources.config import Source

_INGESTED = dg.AssetSelection.groups("corpus")

INGEST = dg.define_asset_job(
    "ingest",
    selection=_INGESTED,
    description="One crawl snapshot: from URLs to the corpus, with every check.",
)
LANDING = dg.define_asset_job(
    "landing",
    selection=_INGESTED - dg.AssetSelection.assets("crawl"),
    description="What a source brought: from records to the corpus, with every check.",
)
TRAIN = dg.define_asset_job(
    "train",
    selection=dg.AssetSelection.groups("tokens", "training"),
    description="The corpus as it stands: tokenizer, tokens, blend, training run.",
)
FULL = dg.define_asset_job(
    "full",
    selection=dg.AssetSelection.groups("corpus", "tokens", "training"),
    description="One snapshot all the way: from URLs to a training run.",
)
JOBS = (INGEST, LANDING, TRAIN, FULL)


def source_job(source: Source) -> Any:
    """One partition of a source: its bytes, checked. The landing job takes it from there."""
    return dg.define_asset_job(
        job_name(source),
        selection=dg.AssetSelection.assets(source_key(source)),
        description=f"Acquires a partition of the source {source.name} ({source.kind}).",
    )


def source_jobs(sources: Mapping[str, Source]) -> dict[str, Any]:
    """By the name of the source."""
    return {name: source_job(source) for name, source in sources.items()}
