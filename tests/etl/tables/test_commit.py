"""A table of files that are there already: Delta itself reads it and goes on from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.ingest.read import spark_struct
from etl.tables.commit import DataFile, create_table
from schemas.errors import StepError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_SCHEMA = pa.schema([("id", pa.string()), ("when", pa.timestamp("us", tz="UTC")),
                     ("list", pa.list_(pa.struct([("kind", pa.string())])))])  # fmt: skip


def test_delta_reads_it_and_commits_after_it(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "a table"
    folder.mkdir()
    files = []
    for number in range(2):
        path = folder / f"part {number}%.parquet"
        rows = [{"id": f"{number}", "when": 10**15, "list": [{"kind": "k"}]}, {"id": None}]
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), path)
        files.append(DataFile(path.name, 2, path.stat().st_size))
    create_table(folder, spark_struct(_SCHEMA), files)
    frame = spark.read.format("delta").load(str(folder))
    assert [field.dataType.simpleString() for field in frame.schema.fields] == [
        "string", "timestamp", "array<struct<kind:string>>"
    ]  # fmt: skip
    assert frame.count() == 4
    assert frame.where("id = '1'").select("list.kind").first()[0] == ["k"]  # type: ignore[index]
    frame.limit(1).write.format("delta").mode("append").save(str(folder))
    assert spark.read.format("delta").load(str(folder)).count() == 5
    history = spark.sql(f"DESCRIBE HISTORY delta.`{folder}`").collect()
    assert [row["version"] for row in history] == [1, 0]
    with pytest.raises(StepError, match="is a Delta table already"):
        create_table(folder, spark_struct(_SCHEMA), files)


def test_a_table_without_files(spark: SparkSession, tmp_path: Path) -> None:
    create_table(tmp_path / "t", spark_struct(_SCHEMA), [])
    assert spark.read.format("delta").load(str(tmp_path / "t")).count() == 0
