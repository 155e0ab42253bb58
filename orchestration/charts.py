"""Pictures that need a query: languages, licences and verdicts, the whole funnel of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from etl.tables.store import Store
from orchestration.metadata import at_once, markdown_table, partition_rows
from orchestration.plots import bar_plot
from schemas.spec import TableSpec
from schemas.tables import DEDUPLICATED, DOCUMENTS, FETCHES, FILTERED, LEDGER

_MOST_ROWS = 40


def language_plot(
    store: Store, spec: TableSpec, where: Mapping[str, str] | None
) -> dg.MarkdownMetadataValue:
    """Documents by language, the most frequent first."""
    rows = (
        partition_rows(store, spec, where)
        .groupBy("language")
        .count()
        .orderBy("count", "language", ascending=[False, True])
        .limit(16)
        .collect()
    )
    counts = {row["language"]: row["count"] for row in rows}
    return dg.MetadataValue.md(bar_plot(counts, f"{spec.name}: documents by language"))


def licence_metadata(store: Store, snapshot: str) -> dict[str, dg.MarkdownMetadataValue]:
    """The ledger by licence and verdict, as a table and a plot; the changes of a snapshot's run."""
    from pyspark.sql import functions as F

    rows = store.read(LEDGER)
    grouped = rows.groupBy("licence", "decision").count()
    most = grouped.orderBy(F.desc("count"), "licence", "decision").limit(_MOST_ROWS)
    names = ("licence", "previous_decision", "decision", "rule", "previous_matrix_version",
             "matrix_version", "previous_policy_hash", "policy_hash")  # fmt: skip
    changed = rows.where((rows["changed_in"] == snapshot) & rows["previous_decision"].isNotNull())
    changes = changed.groupBy(*names).count().orderBy(F.desc("count"), *names).limit(_MOST_ROWS)
    found, moved = at_once(most.collect, changes.collect)
    refused = {f"{r['licence']}: {r['decision']}" for r in found if r["decision"] != "allow"}
    counts = {f"{row['licence']}: {row['decision']}": row["count"] for row in found}
    plot = bar_plot(counts, "ledger: documents by licence and verdict", lost=frozenset(refused))
    return {
        "licences": dg.MetadataValue.md(markdown_table(("licence", "verdict", "documents"), found)),
        "licences_plot": dg.MetadataValue.md(plot),
        "changes": dg.MetadataValue.md(markdown_table((*names, "documents"), moved)),
    }


def funnel_plot(store: Store, snapshot: str) -> dg.MarkdownMetadataValue:
    """How many documents of a snapshot each step let through."""
    stages = {
        "URLs decided": FETCHES,
        "documents": DOCUMENTS,
        "passed the filters": FILTERED,
        "unique": DEDUPLICATED,
    }
    rows = [partition_rows(store, spec, {"snapshot": snapshot}) for spec in stages.values()]
    counts = dict(zip(stages, at_once(*(each.count for each in rows)), strict=True))
    return dg.MetadataValue.md(bar_plot(counts, f"{snapshot}: from URL to corpus"))
