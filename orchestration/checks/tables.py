"""Checks of the tables: counts reconcile, keys are unique, codes are known, GX agrees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.metadata import markdown_table, partition_rows
from orchestration.partitions import where
from orchestration.resources import StoreResource
from schemas.spec import TableSpec
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FILTERED,
    FINDINGS,
    LEDGER,
    QUARANTINE,
    REJECTED,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store

_ASSET_OF = {FETCHES.name: "crawl"}
_VALIDATED = (
    FETCHES, DOCUMENTS, LEDGER, FILTERED, REJECTED, DEDUPLICATED, CLUSTERS, FINDINGS, CORPUS,
)  # fmt: skip
# step -> (its input, the table of what it keeps)
_STEPS = {"filter": (DOCUMENTS, FILTERED), "dedup": (FILTERED, DEDUPLICATED)}


def _snapshot(context: dg.AssetCheckExecutionContext) -> Mapping[str, str] | None:
    """The partition under check; None (all rows) when a check is run by itself."""
    return where(context.partition_key if context.has_partition_key else None)


def _expectations(spec: TableSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=_ASSET_OF.get(spec.name, spec.name),
        name="great_expectations",
        description=f"The Great Expectations suite of table {spec.name}, with its Data Docs.",
    )
    def great_expectations(
        context: dg.AssetCheckExecutionContext, foundry: StoreResource
    ) -> dg.AssetCheckResult:
        from etl.tables.validate import validate_table

        # The corpus is one table across snapshots: it is always checked whole.
        bound = _snapshot(context) if "snapshot" in spec.partition_by else None
        outcome = validate_table(foundry.store(), spec, foundry.settings().docs_root, bound)
        return dg.AssetCheckResult(
            passed=outcome.success,
            metadata={
                "expectations": outcome.evaluated,
                "failed": dg.MetadataValue.md(
                    markdown_table(("expectation",), [(line,) for line in outcome.failed])
                ),
                "data_docs": dg.MetadataValue.url(outcome.page.as_uri()),
            },
        )

    return great_expectations


def _unique_keys(spec: TableSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=_ASSET_OF.get(spec.name, spec.name),
        name="no_duplicate_keys",
        description=f"No key ({', '.join(spec.key)}) occurs twice.",
    )
    def no_duplicate_keys(
        context: dg.AssetCheckExecutionContext, foundry: StoreResource
    ) -> dg.AssetCheckResult:
        bound = _snapshot(context) if "snapshot" in spec.partition_by else None
        rows = partition_rows(foundry.store(), spec, bound)
        twice = rows.groupBy(*spec.key).count().where("count > 1").limit(5).collect()
        examples = markdown_table([*spec.key, "rows"], twice)
        return dg.AssetCheckResult(
            passed=not twice, metadata={"examples": dg.MetadataValue.md(examples)}
        )

    return no_duplicate_keys


def _places(places: Mapping[str, "DataFrame"], key: list[str]) -> dict[str, int]:
    """How many rows are where, lost, or placed twice: one pass over the keys of all tables."""
    from pyspark.sql import functions as F

    tagged = [frame.withColumn("_place", F.lit(name)) for name, frame in places.items()]
    union = tagged[0]
    for frame in tagged[1:]:
        union = union.unionByName(frame)
    outcomes = [name for name in places if name != "rows_in"]
    here = {name: F.count_if(F.col("_place") == name).alias(name) for name in places}
    each = union.groupBy(*key).agg(*here.values())
    placed = sum((F.col(name) for name in outcomes), F.lit(0))
    row = each.agg(
        *(F.sum(name).alias(name) for name in places),
        F.count_if((F.col("rows_in") > 0) & (placed == 0)).alias("lost"),
        F.count_if(placed > 1).alias("placed_twice"),
        F.count_if((F.col("rows_in") == 0) & (placed > 0)).alias("decided_again"),
    ).first()
    return {name: int(count or 0) for name, count in (row.asDict() if row else {}).items()}


def _reconciles(step: str, source: TableSpec, kept: TableSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=kept.name,
        name="counts_reconcile",
        description=f"Every row of {source.name} is kept, rejected or quarantined by {step}.",
    )
    def counts_reconcile(
        context: dg.AssetCheckExecutionContext, foundry: StoreResource
    ) -> dg.AssetCheckResult:
        store, bound = foundry.store(), dict(_snapshot(context) or {})
        own = bound | {"step": step}
        key = ["snapshot", "doc_id"]
        rows_in = partition_rows(store, source, bound).select(*key)
        if step == "filter":  # and the earlier documents that the ledger newly admits
            rows_in = rows_in.unionByName(_newly_admitted(store, bound))
        places = {
            "rows_in": rows_in,
            "kept": partition_rows(store, kept, bound).select(*key),
            "rejected": partition_rows(store, REJECTED, own).select(*key),
            "quarantined": partition_rows(store, QUARANTINE, own).selectExpr(
                "snapshot", "item_id AS doc_id"
            ),
        }
        counts = _places(places, key)
        # Dedup decides anew about earlier documents whose survivor went away.
        allowed = step == "dedup" or not counts["decided_again"]
        return dg.AssetCheckResult(
            passed=allowed and not counts["lost"] and not counts["placed_twice"], metadata=counts
        )

    return counts_reconcile


def _newly_admitted(store: "Store", bound: Mapping[str, str]) -> "DataFrame":
    """(snapshot, doc_id) as the filter's run of the snapshot takes them up."""
    rows = store.read(LEDGER).where("changed_in > snapshot AND decision = 'allow'")
    rows = rows.selectExpr("changed_in AS snapshot", "doc_id")
    return rows.where(rows["snapshot"] == bound["snapshot"]) if bound else rows


@dg.asset_check(
    asset="ledger",
    description="Every document of the snapshot has one row, and every row is of a document.",
)
def every_document_decided(
    context: dg.AssetCheckExecutionContext, foundry: StoreResource
) -> dg.AssetCheckResult:
    store, bound, key = foundry.store(), _snapshot(context), ["snapshot", "doc_id"]
    counts = _places(
        {
            "rows_in": partition_rows(store, DOCUMENTS, bound).select(*key),
            "decided": partition_rows(store, LEDGER, bound).select(*key),
        },
        key,
    )
    wrong = counts["lost"] + counts["placed_twice"] + counts["decided_again"]
    return dg.AssetCheckResult(passed=not wrong, metadata=counts)


@dg.asset_check(
    asset="corpus",
    description="No document whose verdict in the ledger is anything but allow.",
)
def licence_allowed(foundry: StoreResource) -> dg.AssetCheckResult:
    """A document that the ledger does not know is a breach, too."""
    from etl.licence.live import latest_decisions

    store = foundry.store()
    corpus = store.read(CORPUS).select("doc_id", "url", "licence")
    breaches = corpus.join(latest_decisions(store), "doc_id", "left").where(
        "decision IS NULL OR decision <> 'allow'"
    )
    names = ("url", "licence", "decision")
    return dg.AssetCheckResult(
        passed=breaches.isEmpty(),
        metadata={
            "documents": breaches.count(),
            "examples": dg.MetadataValue.md(
                markdown_table(names, breaches.select(*names).limit(5).collect())
            ),
        },
    )


@dg.asset_check(
    asset="documents",
    description="Every fetched page became a document, was rejected, or is in quarantine.",
)
def every_page_accounted(
    context: dg.AssetCheckExecutionContext, foundry: StoreResource
) -> dg.AssetCheckResult:
    """Landed batches have no fetch log: their pages are counted by the step itself."""
    store, bound = foundry.store(), dict(_snapshot(context) or {})
    own = bound | {"step": "extract"}
    key = ["snapshot", "uri_id"]
    fetched = partition_rows(store, FETCHES, bound).where("verdict = 'fetched'")
    counts = _places(
        {
            "rows_in": fetched.select(*key),
            "kept": partition_rows(store, DOCUMENTS, bound).select(*key),
            "rejected": partition_rows(store, REJECTED, own).select(*key),
            "quarantined": partition_rows(store, QUARANTINE, own).selectExpr(
                "snapshot", "item_id AS uri_id"
            ),
        },
        key,
    )
    landed = not counts["rows_in"]
    passed = landed or not (counts["lost"] or counts["placed_twice"] or counts["decided_again"])
    return dg.AssetCheckResult(passed=passed, metadata=counts)


@dg.asset_check(
    asset="corpus",
    description="No document without a language and a licence.",
)
def language_and_licence_known(foundry: StoreResource) -> dg.AssetCheckResult:
    """The licence must be known unless the policy lets unknown ones of the source in."""
    from schemas.identity import UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE

    rows, policy = foundry.store().read(CORPUS), foundry.settings().policy()
    language = rows.where(rows["language"] == UNDETERMINED_LANGUAGE).count()
    unknown = rows.where(rows["licence"] == UNKNOWN_LICENCE).groupBy("source").count().collect()
    licence = sum(
        row["count"]
        for row in unknown
        if policy.decide(UNKNOWN_LICENCE, source=row["source"]).verdict != "allow"
    )
    return dg.AssetCheckResult(
        passed=not language and not licence,
        metadata={"language_undetermined": language, "licence_unknown": licence},
    )


TABLE_CHECKS = (
    *(_expectations(spec) for spec in _VALIDATED),
    *(_unique_keys(spec) for spec in _VALIDATED),
    *(_reconciles(step, source, kept) for step, (source, kept) in _STEPS.items()),
    every_document_decided,
    every_page_accounted,
    language_and_licence_known,
    licence_allowed,
)
