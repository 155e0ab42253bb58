from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from etl.tables.outcome import Decided, decided_schema
from schemas.errors import StepError

pytestmark = pytest.mark.spark


def decide(spark: SparkSession, verdicts: list[tuple[str, str | None]]) -> Decided:
    """Rows 0..n with the given (verdict, rule)."""
    frame = spark.createDataFrame(
        [(i, *verdict) for i, verdict in enumerate(verdicts)], "id long, v string, r string"
    )
    schema = decided_schema(frame.schema)
    arrow = to_arrow_schema(schema)

    def judge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [
                row
                | {
                    "_verdict": row["v"],
                    "_reasons": [{"rule": row["r"], "score": 0.5, "threshold": 1.0}]
                    if row["r"]
                    else None,
                    "_scores": [{"rule": "x", "score": 0.1}],
                    "_message": "broken" if row["v"] == "quarantined" else None,
                }
                for row in batch.to_pylist()
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=arrow)

    return Decided(frame.mapInArrow(judge, schema))


def test_every_row_ends_in_one_place(spark: SparkSession) -> None:
    decided = decide(
        spark,
        [("kept", None), ("rejected", "b"), ("rejected", "a"), ("quarantined", None)],
    )
    with decided.persisted() as rows:
        report = rows.report("filter", rows_in=4)
        assert (report.kept, report.rejected, report.quarantined) == (1, {"a": 1, "b": 1}, 1)
        assert list(report.rejected) == ["a", "b"]
        assert rows.kept().columns == ["id", "v", "r"]
        assert rows.kept(scores=True).collect()[0]["scores"][0]["rule"] == "x"
        rejected = {row["id"]: row for row in rows.rejected().collect()}
        assert (rejected[1]["rule"], rejected[1]["score"], rejected[1]["threshold"]) == (
            "b",
            0.5,
            1,
        )
        assert rows.quarantined().collect()[0]["message"] == "broken"


def test_a_lost_row_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(StepError, match="2 rows in but 1 placed"):
        decide(spark, [("kept", None)]).report("filter", rows_in=2)


@pytest.mark.parametrize("verdict", [("rejected", None), ("perhaps", None)])
def test_a_row_without_a_place_is_an_error(spark: SparkSession, verdict: tuple) -> None:
    with pytest.raises(StepError, match="each must be kept"):
        decide(spark, [verdict]).report("filter")
