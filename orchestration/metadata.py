"""What the UI shows about a table: counts, the drop funnel, the schema, a few rows.

Crawled text is hostile: before it goes into Markdown, everything that could become markup, a link
or an invisible character is escaped or dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dagster as dg

from etl.tables.store import Store, partition_filter
from orchestration.plots import bar_plot
from schemas.report import JobReport
from schemas.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MARKUP = frozenset("\\`*_{}[]()<>#+-.!|~&:/@$\"'=")
_CELL = 80
_SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 9


def cell(value: object) -> str:
    """One Markdown table cell that shows `value` and does nothing else."""
    text = " ".join(str(value).split())[:_CELL]
    visible = (c for c in text if unicodedata.category(c)[0] != "C")
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in visible)


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [
        "| " + " | ".join(cell(name) for name in columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def table_schema(spec: TableSpec) -> dg.TableSchema:
    """The table's columns as Dagster shows them, from its spec."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column["name"],
                type=column["type"],
                description=column["description"],
                constraints=dg.TableColumnConstraints(
                    nullable=column["nullable"], unique=column["unique"], other=column["other"]
                ),
            )
            for column in spec.dagster_columns()
        ]
    )


def definition_metadata(spec: TableSpec) -> dict[str, Any]:
    """What is known of a table before it is first written."""
    return {
        "dagster/column_schema": table_schema(spec),
        "dagster/table_name": spec.name,
        "key": ", ".join(spec.key),
        "partitioned_by": ", ".join(spec.partition_by) or "-",
    }


def partition_rows(store: Store, spec: TableSpec, where: Mapping[str, str] | None) -> DataFrame:
    """The rows of a partition (None: all rows), of the columns that `where` and `spec` share."""
    frame = store.read(spec)
    bound = {name: value for name, value in (where or {}).items() if name in spec.column_names}
    return frame.where(partition_filter(bound)) if bound else frame


def at_once(*queries: Callable[[], Any]) -> list[Any]:
    """The answers of small queries, asked together: each mostly waits for the others' plans."""
    with ThreadPoolExecutor(len(queries)) as pool:
        return [answer.result() for answer in [pool.submit(query) for query in queries]]


def table_metadata(
    store: Store, spec: TableSpec, where: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Rows, version, path and a sample of what a step has just written."""
    rows = partition_rows(store, spec, where)
    columns = [
        column.name
        for column in spec.columns
        if "binary" not in str(column.type) and column.name not in ("snapshot", "code_version")
    ][:_SAMPLE_COLUMNS]
    sample, count, version = at_once(
        lambda: rows.select(*columns).limit(_SAMPLE_ROWS).collect(),
        rows.count,
        lambda: store.version(spec),
    )
    return {
        "dagster/row_count": count,
        "delta_version": version,
        "path": dg.MetadataValue.path(store.path(spec)),
        "sample": dg.MetadataValue.md(markdown_table(columns, sample)),
    }


def report_metadata(report: JobReport, config_hash: str) -> dict[str, Any]:
    """A step's counts, its drop funnel as a table and as a plot, and its settings' hash."""
    funnel: dict[str, int] = {"in": report.rows_in, "kept": report.kept, **report.rejected}
    if report.quarantined:
        funnel["quarantined"] = report.quarantined
    lost = frozenset(funnel) - {"in", "kept"}
    share = max(report.rows_in, 1)
    table = [(name, count, f"{count / share:.1%}") for name, count in funnel.items()]
    extra = {
        name: value for name, value in report.extra.items() if isinstance(value, int | float | str)
    }
    return {
        "rows_in": report.rows_in,
        "kept": report.kept,
        "rejected": sum(report.rejected.values()),
        "quarantined": report.quarantined,
        "seconds": round(report.seconds, 2),
        "config_hash": config_hash,
        "funnel": dg.MetadataValue.md(markdown_table(("outcome", "rows", "share"), table)),
        "funnel_plot": dg.MetadataValue.md(bar_plot(funnel, f"{report.verb}: rows", lost=lost)),
        **extra,
    }
