"""Every projection of a spec says the same thing about the same columns."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from schemas.spec import Column, TableSpec, spark_type
from schemas.tables import DOCUMENTS, TABLES

ALL = pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES.keys())


def table(**changes: object) -> TableSpec:
    settings: dict[str, object] = {
        "name": "t",
        "comment": "a table",
        "columns": (
            Column(name="id", type=pa.string(), comment="key", pattern="[a-z]+"),
            Column(name="n", type=pa.int32(), comment="count", nullable=True, minimum=0, unit="B"),
        ),
        "key": ("id",),
    }
    return TableSpec(**(settings | changes))  # type: ignore[arg-type]


@ALL
def test_arrow_and_spark_agree_on_names_and_nullability(spec: TableSpec) -> None:
    fields = json.loads(spec.spark_json())["fields"]
    arrow = spec.arrow_schema()
    assert [(f["name"], f["nullable"]) for f in fields] == [(f.name, f.nullable) for f in arrow]


@ALL
def test_every_column_is_documented_everywhere(spec: TableSpec) -> None:
    page = spec.markdown()
    for column in spec.columns:
        assert column.comment
        assert f"| {column.name} |" in page
        assert column.description in page


@ALL
def test_every_check_is_also_an_expectation(spec: TableSpec) -> None:
    for column in spec.columns:
        rules = len(column.expectations()) - (not column.nullable)
        bounds = column.minimum is not None and column.maximum is not None
        assert rules == len(column.checks()) - bounds


@ALL
def test_dagster_columns_carry_the_constraints(spec: TableSpec) -> None:
    rows = spec.dagster_columns()
    assert [row["name"] for row in rows] == spec.column_names
    assert sum(len(row["other"]) for row in rows) + len(spec.constraints) == len(
        spec.delta_constraints()
    )


def test_spark_schema_is_what_spark_itself_derives_from_arrow() -> None:
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructType

    ours = StructType.fromJson(json.loads(DOCUMENTS.spark_json()))
    theirs = from_arrow_schema(DOCUMENTS.arrow_schema())
    assert [(f.name, f.dataType) for f in ours] == [(f.name, f.dataType) for f in theirs]


def test_checks_quote_what_users_wrote() -> None:
    column = Column(name="c", type=pa.string(), comment="x", allowed=("it's", "a\\b"))
    assert column.checks() == {"c_allowed": r"c IN ('it\'s', 'a\\b')"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ("other",)}, "key names unknown column other"),
        ({"key": ("n",)}, "key column n may not be nullable"),
        ({"partition_by": ("day",)}, "partition_by names unknown column day"),
        ({"columns": table().columns * 2}, "column id is declared twice"),
    ],
)
def test_a_wrong_spec_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table(**changes)


def test_an_arrow_type_without_projection_is_named() -> None:
    with pytest.raises(TypeError, match="uint8"):
        spark_type(pa.uint8())


def test_volatile_columns_are_left_out_of_comparisons() -> None:
    assert "fetched_at" not in DOCUMENTS.stable_columns
    assert "doc_id" in DOCUMENTS.stable_columns
