"""The assets: thin. Each resolves its inputs, calls one domain function and reports."""

from orchestration.assets.tokens import blend, text_tokens, tokenizer
from orchestration.assets.training import training_run
from orchestration.assets.web import corpus, crawl, deduplicated, documents, filtered, ledger

ASSETS = (
    crawl,
    documents,
    ledger,
    filtered,
    deduplicated,
    corpus,
    tokenizer,
    text_tokens,
    blend,
    training_run,
)
