"""`TableSpec`: one description of a table, and everything that derives from it.

A column is written down once, here. The Arrow and Spark schemas, the Delta NOT NULL / CHECK
constraints and comments, the Great Expectations suite, the Dagster table-schema metadata and the
docs page are projections of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

_SPARK_NAMES: dict[pa.DataType, str] = {
    pa.string(): "string",
    pa.binary(): "binary",
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.timestamp("us", tz="UTC"): "timestamp",
}


def spark_type(dtype: pa.DataType) -> Any:
    """The Spark JSON type (as `StructType.fromJson` reads it) of an Arrow type."""
    if pa.types.is_list(dtype):
        return {
            "type": "array",
            "elementType": spark_type(dtype.value_type),
            "containsNull": dtype.value_field.nullable,
        }
    if pa.types.is_struct(dtype):
        return {"type": "struct", "fields": [_spark_field(f, "") for f in dtype]}
    try:
        return _SPARK_NAMES[dtype]
    except KeyError:
        known = ", ".join(str(t) for t in _SPARK_NAMES)
        raise TypeError(f"Arrow type {dtype} has no Spark projection; use one of {known}") from None


def _spark_field(field_: pa.Field, comment: str) -> dict[str, Any]:
    metadata = {"comment": comment} if comment else {}
    return {
        "name": field_.name,
        "type": spark_type(field_.type),
        "nullable": field_.nullable,
        "metadata": metadata,
    }


def _sql_literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its type, meaning and the values it may hold.

    `minimum`, `maximum`, `allowed` and `pattern` (a regular expression for the whole value) bind
    non-null values; each becomes a Delta CHECK and an expectation. A `volatile` column (a clock
    reading, a run id) is left out when two runs are compared for equality.
    """

    name: str
    type: pa.DataType
    comment: str
    nullable: bool = False
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    volatile: bool = False

    @property
    def description(self) -> str:
        """The comment with its unit, as users read it."""
        return f"{self.comment} [{self.unit}]" if self.unit else self.comment

    def checks(self) -> dict[str, str]:
        """Constraint name -> SQL predicate. NULL passes in a nullable column.

        Delta, unlike SQL, takes a predicate that is NULL for a violation: the predicate says so.
        """
        found: dict[str, str] = {}
        if self.minimum is not None:
            found[f"{self.name}_min"] = f"{self.name} >= {self.minimum}"
        if self.maximum is not None:
            found[f"{self.name}_max"] = f"{self.name} <= {self.maximum}"
        if self.allowed:
            values = ", ".join(_sql_literal(value) for value in self.allowed)
            found[f"{self.name}_allowed"] = f"{self.name} IN ({values})"
        if self.pattern:
            found[f"{self.name}_pattern"] = (
                f"{self.name} RLIKE {_sql_literal(f'^({self.pattern})$')}"
            )
        if self.nullable:
            return {name: f"{self.name} IS NULL OR {test}" for name, test in found.items()}
        return found

    def expectations(self) -> list[dict[str, Any]]:
        """Great Expectations configurations (`type`, `kwargs`) for this column."""
        found: list[dict[str, Any]] = []
        column = {"column": self.name}
        if not self.nullable:
            found.append({"type": "expect_column_values_to_not_be_null", "kwargs": column})
        if self.minimum is not None or self.maximum is not None:
            bounds = {"min_value": self.minimum, "max_value": self.maximum}
            found.append({"type": "expect_column_values_to_be_between", "kwargs": column | bounds})
        if self.allowed:
            values = {"value_set": list(self.allowed)}
            found.append({"type": "expect_column_values_to_be_in_set", "kwargs": column | values})
        if self.pattern:
            regex = {"regex": f"^({self.pattern})$"}
            found.append({"type": "expect_column_values_to_match_regex", "kwargs": column | regex})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table: its columns, key and partitioning, from which every other description derives.

    `key` names the columns that identify a row; `constraints` holds table-level CHECK predicates
    (name -> SQL). `version` grows when a column changes its meaning.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    constraints: dict[str, str] = field(default_factory=dict)
    version: int = 1

    def __post_init__(self) -> None:
        names = self.column_names
        duplicated = sorted({name for name in names if names.count(name) > 1})
        if duplicated:
            raise ValueError(f"table {self.name}: column {duplicated[0]} is declared twice")
        for role, wanted in (("key", self.key), ("partition_by", self.partition_by)):
            unknown = sorted(set(wanted) - set(names))
            if unknown:
                raise ValueError(f"table {self.name}: {role} names unknown column {unknown[0]}")
        nullable = [c.name for c in self.columns if c.nullable and c.name in self.key]
        if nullable:
            raise ValueError(f"table {self.name}: key column {nullable[0]} may not be nullable")

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def stable_columns(self) -> list[str]:
        """The columns that two runs on the same input must agree on."""
        return [column.name for column in self.columns if not column.volatile]

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    def arrow_schema(self) -> pa.Schema:
        return pa.schema(
            [
                pa.field(c.name, c.type, c.nullable, {"comment": c.description})
                for c in self.columns
            ],
            metadata={"table": self.name, "version": str(self.version)},
        )

    def spark_json(self) -> str:
        """The schema as Spark's JSON: `StructType.fromJson(json.loads(...))`."""
        fields = [
            _spark_field(pa.field(c.name, c.type, c.nullable), c.description) for c in self.columns
        ]
        return json.dumps({"type": "struct", "fields": fields})

    def delta_constraints(self) -> dict[str, str]:
        """Every CHECK constraint of the table, by name. NOT NULL travels in the schema."""
        found: dict[str, str] = {}
        for column in self.columns:
            found |= column.checks()
        return found | self.constraints

    def expectations(self) -> list[dict[str, Any]]:
        """The Great Expectations suite: the exact columns, each column's rules, a unique key."""
        suite: list[dict[str, Any]] = [
            {
                "type": "expect_table_columns_to_match_set",
                "kwargs": {"column_set": self.column_names, "exact_match": True},
            }
        ]
        for column in self.columns:
            suite += column.expectations()
        if len(self.key) == 1:
            unique = {"column": self.key[0]}
            suite.append({"type": "expect_column_values_to_be_unique", "kwargs": unique})
        else:
            unique_together = {"column_list": list(self.key)}
            suite.append(
                {"type": "expect_compound_columns_to_be_unique", "kwargs": unique_together}
            )
        return suite

    def dagster_columns(self) -> list[dict[str, Any]]:
        """Rows for Dagster's `TableColumn`: name, type, description, constraints."""
        return [
            {
                "name": column.name,
                "type": str(column.type),
                "description": column.description,
                "nullable": column.nullable,
                "unique": self.key == (column.name,),
                "other": list(column.checks().values()),
            }
            for column in self.columns
        ]

    def markdown(self) -> str:
        """The docs page of the table."""
        lines = [
            f"## {self.name}",
            "",
            self.comment,
            "",
            f"Key: {', '.join(self.key)}. Partitioned by: {', '.join(self.partition_by) or '-'}. "
            f"Version {self.version}.",
            "",
            "| column | type | null | meaning |",
            "|---|---|---|---|",
        ]
        for c in self.columns:
            null = "yes" if c.nullable else "no"
            lines.append(f"| {c.name} | {c.type} | {null} | {c.description} |")
        checks = sorted(self.delta_constraints().items())
        if checks:
            lines += ["", *(f"- CHECK {name}: `{predicate}`" for name, predicate in checks)]
        return "\n".join(lines) + "\n"
