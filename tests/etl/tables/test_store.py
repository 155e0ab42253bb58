"""The Delta store on a real Spark: idempotent, constrained, counted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from etl.tables.store import Store, spark_schema
from schemas.errors import InputError, StepError
from schemas.spec import TableSpec
from schemas.tables import CORPUS, FINDINGS, FRONTIER, TABLES
from tests.etl.tables.rows import broken, valid_rows

pytestmark = pytest.mark.spark
SNAPSHOT = {"snapshot": "2026-01-01"}
CHANGED = "old.text_sha256 <> new.text_sha256"


def frame(store: Store, spec: TableSpec, rows: list[dict]) -> DataFrame:
    return store.spark.createDataFrame([tuple(row.values()) for row in rows], spark_schema(spec))


def contents(store: Store, spec: TableSpec) -> list:
    return sorted(tuple(row) for row in store.read(spec).collect())


def test_replace_is_idempotent_and_touches_one_partition(store: Store, seed: int) -> None:
    rows = valid_rows(FINDINGS, 5, random.Random(seed))
    other = [row | {"snapshot": "2026-01-02"} for row in rows]
    store.replace(FINDINGS, frame(store, FINDINGS, other), {"snapshot": "2026-01-02"})
    commit = store.replace(FINDINGS, frame(store, FINDINGS, rows), SNAPSHOT)
    assert commit.rows == 5
    before = contents(store, FINDINGS)
    store.replace(FINDINGS, frame(store, FINDINGS, rows), SNAPSHOT)
    assert contents(store, FINDINGS) == before
    assert len(before) == 10
    nothing = store.replace(FINDINGS, frame(store, FINDINGS, []), {"snapshot": "2026-01-03"})
    assert nothing.rows == 0


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES.keys())
def test_every_table_is_created_with_its_constraints(store: Store, spec: TableSpec) -> None:
    detail = store.create(spec).detail().first()
    assert detail is not None
    properties = detail["properties"]
    for name, predicate in spec.delta_constraints().items():
        assert properties[f"delta.constraints.{name}"] == predicate
    assert properties["delta.enableChangeDataFeed"] == "true"
    assert detail["partitionColumns"] == list(spec.partition_by)
    comments = {f.name: f.metadata.get("comment") for f in store.read(spec).schema}
    assert comments == {c.name: c.description for c in spec.columns}


@pytest.mark.parametrize("column", FINDINGS.columns, ids=lambda c: c.name)
def test_delta_refuses_what_breaks_a_rule(store: Store, seed: int, column) -> None:
    (row,) = valid_rows(FINDINGS, 1, random.Random(seed))
    for bad in broken(column, row):
        with pytest.raises(PySparkException, match=r"CONSTRAINT|REPLACE_WHERE"):
            store.replace(FINDINGS, frame(store, FINDINGS, [bad]), SNAPSHOT)
    assert contents(store, FINDINGS) == []


def test_merge_leaves_equal_rows_untouched(store: Store, seed: int) -> None:
    rows = valid_rows(CORPUS, 4, random.Random(seed))
    first = store.merge(CORPUS, frame(store, CORPUS, rows), when_changed=CHANGED)
    assert (first.rows, first.metrics["numTargetRowsInserted"]) == (4, "4")
    changed = rows[0] | {"text_sha256": "0" * 64, "text": "new"}
    gone = frame(store, CORPUS, rows[2:3]).select("uri_id")
    second = store.merge(
        CORPUS, frame(store, CORPUS, [changed, rows[1]]), when_changed=CHANGED, delete=gone
    )
    assert second.metrics["numTargetRowsUpdated"] == "1"
    assert second.metrics["numTargetRowsInserted"] == "0"
    assert second.metrics["numTargetRowsDeleted"] == "1"
    again = store.merge(CORPUS, frame(store, CORPUS, [changed]), when_changed=CHANGED)
    assert (again.rows, again.metrics.get("numTargetRowsUpdated", "0")) == (0, "0")
    left = {row["uri_id"]: row["text"] for row in store.read(CORPUS).collect()}
    assert left == {row["uri_id"]: row["text"] for row in (changed, rows[1], rows[3])}


def test_merge_refuses_a_key_twice(store: Store, seed: int) -> None:
    (row,) = valid_rows(CORPUS, 1, random.Random(seed))
    with pytest.raises(StepError, match=f"uri_id={row['uri_id']} occurs 2 times"):
        store.merge(CORPUS, frame(store, CORPUS, [row, row]), when_changed=CHANGED)


def test_append_once_survives_a_retry(store: Store, seed: int) -> None:
    rows = frame(store, FRONTIER, valid_rows(FRONTIER, 3, random.Random(seed)))
    for batch in (1, 1, 2, 1):
        commit = store.append_once(FRONTIER, rows, "crawl", batch)
    assert commit.rows == 0
    assert store.read(FRONTIER).count() == 6


def test_a_wrong_frame_is_named(store: Store, seed: int) -> None:
    rows = frame(store, FINDINGS, valid_rows(FINDINGS, 1, random.Random(seed)))
    with pytest.raises(StepError, match=r"missing \['score'\], unknown \['x'\]"):
        store.replace(FINDINGS, rows.withColumnRenamed("score", "x"), SNAPSHOT)
    with pytest.raises(InputError, match="partitioned by"):
        store.replace(FINDINGS, rows, {"entity": "EMAIL"})


def test_time_travel_history_and_maintenance(store: Store, seed: int) -> None:
    assert store.version(FINDINGS) == -1
    assert store.read(FINDINGS).count() == 0
    rows = valid_rows(FINDINGS, 2, random.Random(seed))
    store.replace(FINDINGS, frame(store, FINDINGS, rows[:1]), SNAPSHOT)
    store.replace(FINDINGS, frame(store, FINDINGS, rows), SNAPSHOT)
    assert store.read(FINDINGS, version=1).count() == 1
    assert [entry["operation"] for entry in store.history(FINDINGS, 2)] == ["WRITE", "WRITE"]
    assert store.maintain(FINDINGS)["files"] == 1
    assert store.read(FINDINGS).count() == 2


def test_a_snapshot_name_cannot_break_out_of_the_predicate(store: Store, seed: int) -> None:
    rows = valid_rows(FINDINGS, 1, random.Random(seed))
    store.replace(FINDINGS, frame(store, FINDINGS, rows), SNAPSHOT)
    empty = frame(store, FINDINGS, [])
    store.replace(FINDINGS, empty, {"snapshot": "x' OR '1'='1"})
    assert store.read(FINDINGS).count() == 1


def test_paths_are_below_the_root(store: Store, tmp_path: Path) -> None:
    assert Path(store.path(CORPUS)).is_relative_to(tmp_path)
