"""Kept, rejected or quarantined: where every row of a step ends, and the counts that prove it.

A step computes its rows once, each with a verdict beside it (`decided_schema`), and this module
splits them. Rows are computed once: the frame is persisted while it is split and written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.errors import StepError
from schemas.report import JobReport
from schemas.spec import spark_type
from schemas.tables import REASONS, SCORES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

KEPT, REJECTED, QUARANTINED = "kept", "rejected", "quarantined"

VERDICT_FIELDS: tuple[pa.Field, ...] = (
    pa.field("_verdict", pa.string(), nullable=False),
    pa.field("_reasons", REASONS),  # rejected: every rule that failed, the deciding one first
    pa.field("_scores", SCORES),  # every score computed, also where it passed
    pa.field("_error_class", pa.string()),  # quarantined: a stable class of the error
    pa.field("_message", pa.string()),
    pa.field("_pointer", pa.string()),  # quarantined: where the bytes are, FILE@OFFSET+LENGTH
)
_NAMES = [field.name for field in VERDICT_FIELDS]


def decided_schema(columns: StructType) -> StructType:
    """`columns` followed by the verdict columns: the schema that a step's Arrow function returns.

    Row columns turn nullable, because a quarantined row may have lost any of them.
    """
    from pyspark.sql.types import StructType

    fields: list[dict[str, Any]] = [{**f.jsonValue(), "nullable": True} for f in columns.fields]
    for field in VERDICT_FIELDS:
        fields.append(
            {"name": field.name, "type": spark_type(field.type), "nullable": field.nullable,
             "metadata": {}}
        )  # fmt: skip
    return StructType.fromJson(json.loads(json.dumps({"type": "struct", "fields": fields})))


@dataclass(frozen=True, slots=True)
class Decided:
    """The rows of one step, each with its verdict."""

    frame: DataFrame

    @contextmanager
    def persisted(self) -> Iterator[Decided]:
        """Keeps the computed rows on disk while they are split, then frees them."""
        from pyspark.storagelevel import StorageLevel

        frame = self.frame.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            yield Decided(frame)
        finally:
            frame.unpersist()

    def kept(self, *, scores: bool = False) -> DataFrame:
        """The rows that go on, with their own columns; `scores` adds the column `scores`."""
        rows = self._of(KEPT)
        if scores:
            rows = rows.withColumn("scores", rows["_scores"])
        return rows.drop(*_NAMES)

    def rejected(self) -> DataFrame:
        """The dropped rows, with `rule`, `score`, `threshold`, all `reasons` and `scores`."""
        from pyspark.sql import functions as F

        rows = self._of(REJECTED)
        first = F.get("_reasons", F.lit(0))
        return rows.withColumns(
            {
                "rule": first["rule"],
                "score": first["score"],
                "threshold": first["threshold"],
                "reasons": rows["_reasons"],
                "scores": rows["_scores"],
            }
        ).drop(*_NAMES)

    def quarantined(self) -> DataFrame:
        """The rows that could not be processed, with `error_class`, `message`, `pointer`."""
        rows = self._of(QUARANTINED)
        return rows.withColumns(
            {
                "error_class": rows["_error_class"],
                "message": rows["_message"],
                "pointer": rows["_pointer"],
            }
        ).drop(*_NAMES)

    def report(self, verb: str, *, rows_in: int | None = None) -> JobReport:
        """The step's counts. `rows_in` is an independent count of the input, when there is one.

        Raises `StepError` when a row has no place or two.
        """
        from pyspark.sql import functions as F

        counted = (
            self.frame.groupBy("_verdict", F.get("_reasons", F.lit(0))["rule"].alias("rule"))
            .count()
            .collect()
        )
        report = JobReport(verb=verb)
        for row in counted:
            if row["_verdict"] == KEPT:
                report.kept += row["count"]
            elif row["_verdict"] == REJECTED and row["rule"]:
                report.rejected[row["rule"]] = row["count"]
            elif row["_verdict"] == QUARANTINED:
                report.quarantined += row["count"]
            else:
                raise StepError(
                    f"{verb}: {row['count']} rows with verdict {row['_verdict']!r} and "
                    f"rule {row['rule']!r}; each must be kept, rejected by a rule or quarantined"
                )
        report.rejected = dict(sorted(report.rejected.items()))
        placed = report.kept + sum(report.rejected.values()) + report.quarantined
        report.rows_in = placed if rows_in is None else rows_in
        return report.require_reconciled()

    def _of(self, verdict: str) -> DataFrame:
        return self.frame.where(self.frame["_verdict"] == verdict)
