"""Pictures that need a query: languages of a table, the whole funnel of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import dagster as dg

from etl.tables.store import Store
from orchestration.metadata import partition_rows
from orchestration.plots import bar_plot
from schemas.spec import TableSpec
from schemas.tables import DEDUPLICATED, DOCUMENTS, FETCHES, FILTERED


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


def funnel_plot(store: Store, snapshot: str) -> dg.MarkdownMetadataValue:
    """How many documents of a snapshot each step let through."""
    from pyspark.sql import DataFrame

    stages = {
        "URLs decided": FETCHES,
        "documents": DOCUMENTS,
        "passed the filters": FILTERED,
        "unique": DEDUPLICATED,
    }
    counted = [
        partition_rows(store, spec, {"snapshot": snapshot}).selectExpr(
            f"'{name}' AS stage", "count(*) AS rows"
        )
        for name, spec in stages.items()
    ]
    found = {row["stage"]: row["rows"] for row in reduce(DataFrame.unionByName, counted).collect()}
    counts = {name: found.get(name, 0) for name in stages}
    return dg.MetadataValue.md(bar_plot(counts, f"{snapshot}: from URL to corpus"))
