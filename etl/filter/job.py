"""The filter step: licence verdict and quality rules, over a frame or a snapshot of `documents`."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

import schemas
from etl.filter.config import FilterConfig
from etl.filter.judge import judge
from etl.filter.licences import (
    admitted,
    ruled_documents,
    ruled_records,
    with_refused,
)
from etl.tables.outcome import KEPT, QUARANTINED, VERDICT_FIELDS, Decided, decided_schema
from etl.tables.outcome import REJECTED as REJECTED_VERDICT
from schemas.errors import InputError
from schemas.identity import config_hash
from schemas.report import JobReport
from schemas.tables import FILTERED, QUARANTINE, REJECTED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.licence.policy import Policy
    from etl.tables.store import Store

STEP = "filter"
_SLICE_ROWS = 512  # rows judged at once: bounds what a batch of long documents holds in memory


def filter_frame(
    frame: DataFrame,
    config: FilterConfig,
    *,
    id_column: str = "doc_id",
    policy: Policy | None = None,
) -> Decided:
    """Judges the column `text` of every row, with `language` where there is one; with a `policy`
    first the column `licence`, where there is one.

    Other columns are carried through. In the profile `c4`, kept rows hold the text that C4's line
    rules leave, and `text_sha256`, where there is one, is that text's. A row without a text is
    quarantined. Raises `InputError` when `text` or `id_column` is missing or not a string.
    """
    for name in (id_column, "text"):
        if name not in frame.columns:
            raise InputError(f"filter: the input has no column {name!r}; it needs id and text")
    kinds = dict(frame.dtypes)
    if kinds["text"] != "string":
        raise InputError(f"filter: column 'text' is {kinds['text']}, not string; convert it first")
    if policy is None or "licence" not in frame.columns:
        return _judged(frame, config, id_column)
    ruled = ruled_records(frame, policy)
    return with_refused(_judged(admitted(ruled), config, id_column), ruled, id_column)


def _judged(frame: DataFrame, config: FilterConfig, id_column: str) -> Decided:
    return Decided(
        frame.mapInArrow(_batch_function(config, id_column), decided_schema(frame.schema))
    )


def _batch_function(
    config: FilterConfig, id_column: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def decide(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _SLICE_ROWS):
                yield decide_batch(batch.slice(start, _SLICE_ROWS), config, id_column)

    return decide


def decide_batch(
    batch: pa.RecordBatch, config: FilterConfig, id_column: str = "doc_id"
) -> pa.RecordBatch:
    """One Arrow batch with its verdict columns (`decided_schema`)."""
    names = batch.schema.names
    texts = batch.column("text").to_pylist()
    nothing: list[str | None] = [None] * len(texts)
    languages = batch.column("language").to_pylist() if "language" in names else nothing
    verdict = judge(texts, languages, config)
    missing = [text is None for text in texts]
    columns = {name: batch.column(name) for name in names}
    if config.profile == "c4":
        columns |= _changed_text(columns, texts, verdict.texts)
    judged = [
        QUARANTINED if lost else REJECTED_VERDICT if rejected else KEPT
        for lost, rejected in zip(missing, verdict.rejected.tolist(), strict=True)
    ]
    pointers = _pointers(batch, id_column)
    columns |= {
        "_verdict": pa.array(judged, pa.string()),
        "_reasons": verdict.reason_lists(),
        "_scores": verdict.score_lists(),
        "_error_class": _only(missing, ["missing_text"] * len(texts)),
        "_message": _only(missing, ["the row has no text"] * len(texts)),
        "_pointer": _only(missing, pointers),
    }
    fields = [batch.schema.field(name).with_nullable(True) for name in names]
    return pa.record_batch(
        [columns[field.name] for field in (*fields, *VERDICT_FIELDS)],
        schema=pa.schema([*fields, *VERDICT_FIELDS]),
    )


def _only(where: list[bool], values: list[str]) -> pa.Array:
    chosen = [value if yes else None for yes, value in zip(where, values, strict=True)]
    return pa.array(chosen, pa.string())


def _changed_text(
    columns: dict[str, pa.Array], old: list[str | None], new: list[str]
) -> dict[str, pa.Array]:
    kept = [None if was is None else now for was, now in zip(old, new, strict=True)]
    changed = {"text": pa.array(kept, columns["text"].type)}
    if "text_sha256" in columns:
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in new]
        changed["text_sha256"] = pa.array(hashes, columns["text_sha256"].type)
    return changed


def _pointers(batch: pa.RecordBatch, id_column: str) -> list[str]:
    """FILE@OFFSET+LENGTH where the row says so, else its id."""
    ids = [str(value) for value in batch.column(id_column).to_pylist()]
    wanted = ("warc_file", "warc_offset", "warc_length")
    if not set(wanted) <= set(batch.schema.names):
        return ids
    places = zip(*(batch.column(name).to_pylist() for name in wanted), strict=True)
    return [
        f"{file}@{offset}+{length}" if file is not None else own
        for own, (file, offset, length) in zip(ids, places, strict=True)
    ]


def filter_snapshot(store: Store, snapshot: str, config: FilterConfig) -> JobReport:
    """Filters the documents of `snapshot`, and those that its ledger newly admits, into `filtered`,
    `rejected` and `quarantine`; `extra.admitted` counts the latter.

    Each of the three partitions is replaced, so that running it again changes nothing.
    """
    from pyspark.sql import functions as F

    started = time.monotonic()
    ruled = ruled_documents(store, snapshot)
    judged = _judged(admitted(ruled.rows), config, "doc_id")
    stamps = {
        "code_version": F.lit(f"token-foundry {schemas.__version__}"),
        "config_hash": F.lit(config_hash(dataclasses.asdict(config))),
    }
    own = {"snapshot": snapshot}
    with with_refused(judged, ruled.rows, "doc_id").persisted() as decided:
        report = decided.report(STEP, rows_in=ruled.own + ruled.carried)
        rejected = decided.rejected().withColumns({**stamps, "step": F.lit(STEP)})
        quarantined = decided.quarantined().withColumns(
            {"step": F.lit(STEP), "item_id": F.col("doc_id")}
        )
        store.replace_all(
            (FILTERED, decided.kept(scores=True).withColumns(stamps), own),
            (REJECTED, rejected.select(*REJECTED.column_names), own | {"step": STEP}),
            (QUARANTINE, quarantined.select(*QUARANTINE.column_names), own | {"step": STEP}),
        )
    report.extra["admitted"] = ruled.carried
    report.outputs = {spec.name: store.path(spec) for spec in (FILTERED, REJECTED, QUARANTINE)}
    report.seconds = time.monotonic() - started
    return report
