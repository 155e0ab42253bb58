"""The two jobs: bring a snapshot into the corpus; and that with tokens and a training run."""

from __future__ import annotations

import dagster as dg

_INGESTED = dg.AssetSelection.groups("corpus")

INGEST = dg.define_asset_job(
    "ingest",
    selection=_INGESTED,
    description="One crawl snapshot: from URLs to the corpus, with every check.",
)
LANDING = dg.define_asset_job(
    "landing",
    selection=_INGESTED - dg.AssetSelection.assets("crawl"),
    description="One batch of landed files: from records to the corpus, with every check.",
)
TRAIN = dg.define_asset_job(
    "train",
    selection=dg.AssetSelection.groups("tokens", "training"),
    description="The corpus as it stands: tokenizer, tokens, blend, training run.",
)
FULL = dg.define_asset_job(
    "full",
    selection=dg.AssetSelection.all(),
    description="One snapshot all the way: from URLs to a training run.",
)
JOBS = (INGEST, LANDING, TRAIN, FULL)
