"""The only code that writes Delta. Every write is idempotent, constrained and counted.

- `replace`: a partition becomes exactly these rows (`replaceWhere`); run again, nothing changes.
- `merge`: rows are matched on the key; equal rows are left untouched.
- `append_once`: exactly once for a writer's (application, version), however often it is retried.

Tables are created from their `TableSpec` with NOT NULL and CHECK constraints, column comments and
the change data feed on. Sources: Delta protocol (`txnAppId`/`txnVersion` idempotent writes).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.storage.location import spark_path
from schemas.errors import InputError, StepError
from schemas.spec import TableSpec

if TYPE_CHECKING:
    from delta.tables import DeltaTable
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    # Updates and deletes mark rows instead of rewriting files: unchanged rows stay untouched.
    "delta.enableDeletionVectors": "true",
}


_MERGED_ROWS = ("numTargetRowsInserted", "numTargetRowsUpdated")


@dataclass(frozen=True, slots=True)
class Commit:
    """What a write did: the table's version after it, rows written, Delta's operation metrics."""

    table: str
    version: int
    rows: int
    metrics: dict[str, str]


def spark_schema(spec: TableSpec) -> StructType:
    from pyspark.sql.types import StructType

    return StructType.fromJson(json.loads(spec.spark_json()))


class Store:
    """The Delta tables of one deployment, below `root`: a local folder or an `s3://` prefix (which
    one driver at a time may write to: see etl/tables/s3a.py)."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.root = spark_path(str(root)).rstrip("/")

    def path(self, spec: TableSpec) -> str:
        return f"{self.root}/{spec.name}"

    def exists(self, spec: TableSpec) -> bool:
        from delta.tables import DeltaTable

        return DeltaTable.isDeltaTable(self.spark, self.path(spec))

    def create(self, spec: TableSpec) -> DeltaTable:
        """The table, created empty with its constraints when it is not there yet."""
        from delta.tables import DeltaTable

        if self.exists(spec):
            return DeltaTable.forPath(self.spark, self.path(spec))
        builder = (
            DeltaTable.createIfNotExists(self.spark)
            .location(self.path(spec))
            .comment(spec.comment)
            .addColumns(spark_schema(spec))
            .property("tokenfoundry.specVersion", str(spec.version))
        )
        for name, value in _PROPERTIES.items():
            builder = builder.property(name, value)
        for name, predicate in spec.delta_constraints().items():
            builder = builder.property(f"delta.constraints.{name}", predicate)
        if spec.partition_by:
            builder = builder.partitionedBy(*spec.partition_by)
        return builder.execute()

    def read(self, spec: TableSpec, version: int | None = None) -> DataFrame:
        """The table, empty when it was never written; `version` travels in time."""
        if not self.exists(spec):
            return self.spark.createDataFrame([], spark_schema(spec))
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(spec))

    def version(self, spec: TableSpec) -> int:
        """The latest version, or -1 when the table does not exist."""
        last = self.history(spec, 1)
        return int(last[0]["version"]) if last else -1

    def history(self, spec: TableSpec, limit: int = 20) -> list[dict[str, Any]]:
        """Delta's log entries, newest first: version, operation, operationMetrics..."""
        from delta.tables import DeltaTable

        if not self.exists(spec):
            return []
        table = DeltaTable.forPath(self.spark, self.path(spec))
        return [row.asDict() for row in table.history(limit).collect()]

    def replace(self, spec: TableSpec, frame: DataFrame, where: Mapping[str, str]) -> Commit:
        """Makes the partition `where` (column -> value) hold exactly `frame`, in one commit."""
        unknown = sorted(set(where) - set(spec.partition_by))
        if unknown or not where:
            raise InputError(
                f"table {spec.name} is partitioned by {spec.partition_by}, not {unknown or 'this'}"
            )
        self.create(spec)
        mark = uuid.uuid4().hex
        (
            self._conform(spec, frame)
            .write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", partition_filter(where))
            .option("userMetadata", mark)
            .save(self.path(spec))
        )
        return self._commit(spec, mark=mark)

    def replace_all(self, *writes: tuple[TableSpec, DataFrame, Mapping[str, str]]) -> list[Commit]:
        """`replace` of several tables at once: independent, and a commit is mostly waiting."""
        with ThreadPoolExecutor(len(writes)) as pool:
            return list(pool.map(lambda write: self.replace(*write), writes))

    def append_once(
        self, spec: TableSpec, frame: DataFrame, application: str, batch: int
    ) -> Commit:
        """Appends `frame`; Delta drops a batch that `application` has already committed."""
        self.create(spec)
        mark = uuid.uuid4().hex
        (
            self._conform(spec, frame)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", application)
            .option("txnVersion", batch)
            .option("userMetadata", mark)
            .save(self.path(spec))
        )
        return self._commit(spec, mark=mark)

    def merge(
        self,
        spec: TableSpec,
        frame: DataFrame,
        *,
        when_changed: str,
        delete: DataFrame | None = None,
    ) -> Commit:
        """Upserts `frame` on the key and removes the keys in `delete`, in one commit.

        `when_changed` is a predicate over `old` and `new`; a matched row for which it is false is
        not written at all. A key that `frame` holds is not deleted. Raises `StepError` when
        `frame` holds a key twice.
        """
        from pyspark.sql import functions as F

        rows = self._conform(spec, frame).withColumn("_delete", F.lit(False))
        if delete is not None:
            rows = rows.localCheckpoint()  # it is used twice
            gone = delete.select(*spec.key).distinct().join(rows, list(spec.key), "left_anti")
            rows = rows.unionByName(
                gone.withColumn("_delete", F.lit(True)), allowMissingColumns=True
            )
        on = " AND ".join(f"old.{name} = new.{name}" for name in spec.key)
        values: dict[str, str | Column] = {name: f"new.{name}" for name in spec.column_names}
        table, before = self.create(spec), self.version(spec)
        # The check and both passes of MERGE read the source: it is computed once, and its plan is
        # cut, which Delta would else analyse again for each. A lost executor fails the step.
        rows = rows.localCheckpoint()
        require_unique(spec, rows)
        (
            table.alias("old")
            .merge(rows.alias("new"), on)
            .whenMatchedDelete(condition="new._delete")
            .whenMatchedUpdate(condition=when_changed, set=values)
            .whenNotMatchedInsert(condition="NOT new._delete", values=values)
            .execute()
        )
        return self._commit(spec, before=before)

    def maintain(self, spec: TableSpec, retain_hours: float = 168) -> dict[str, int]:
        """Compacts small files and removes files that no version of the last hours needs."""
        table = self.create(spec)
        table.optimize().executeCompaction()
        table.vacuum(retain_hours)
        detail = table.detail().first()
        if detail is None:
            raise StepError(f"{self.path(spec)}: Delta reports no detail; check the table's log")
        return {"files": int(detail["numFiles"] or 0), "bytes": int(detail["sizeInBytes"] or 0)}

    def _conform(self, spec: TableSpec, frame: DataFrame) -> DataFrame:
        """The spec's columns, in its order; a missing or an extra one is an error that names it."""
        missing = sorted(set(spec.column_names) - set(frame.columns))
        extra = sorted(set(frame.columns) - set(spec.column_names))
        if missing or extra:
            raise StepError(
                f"table {spec.name}: columns missing {missing}, unknown {extra}; "
                "the rows must match the table's spec in schemas/tables.py"
            )
        return frame.select(*spec.column_names)

    def _commit(self, spec: TableSpec, *, before: int = -1, mark: str = "") -> Commit:
        """What the write just made did; it is the latest commit if that carries `mark`, or is later
        than `before`. A write that changes nothing commits nothing, and then the counts are 0."""
        last = self.history(spec, 1)[0]
        version = int(last["version"])
        if version == before or (mark and last["userMetadata"] != mark):
            return Commit(spec.name, version, 0, {})
        metrics = dict(last["operationMetrics"] or {})
        # A MERGE's numOutputRows counts rows copied along with a rewritten file, too.
        written = _MERGED_ROWS if last["operation"] == "MERGE" else ("numOutputRows",)
        rows = sum(int(metrics.get(name, 0)) for name in written)
        return Commit(spec.name, version, rows, metrics)


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def partition_filter(where: Mapping[str, str]) -> str:
    """SQL that selects the partition `where`."""
    return " AND ".join(f"{name} = {_literal(value)}" for name, value in where.items())


def require_unique(spec: TableSpec, frame: DataFrame, key: Sequence[str] = ()) -> None:
    """Raises `StepError` naming one duplicated key."""
    from pyspark.sql import functions as F

    columns = list(key or spec.key)
    twice = frame.groupBy(*columns).count().where(F.col("count") > 1).first()
    if twice is not None:
        named = ", ".join(f"{name}={twice[name]}" for name in columns)
        raise StepError(f"table {spec.name}: {named} occurs {twice['count']} times in one write")
