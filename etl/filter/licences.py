"""The licence verdict of each row before the quality rules, which judge only what is admitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.licence.live import ALLOW, decided_at
from etl.licence.spdx import normalised
from etl.tables.outcome import QUARANTINED, REJECTED, Decided
from schemas.errors import InputError
from schemas.tables import DOCUMENTS, LEDGER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.licence.policy import Policy
    from etl.tables.store import Store

REVIEW = "licence_review"
_ADDED = ("_decision", "_rule")


@dataclass(frozen=True, slots=True)
class Ruled:
    """Documents with `_decision` and `_rule`: `own` of them are the snapshot's, `carried` earlier
    ones that its ledger run newly admits, under its name from here on."""

    rows: DataFrame
    own: int
    carried: int


def ruled_documents(store: Store, snapshot: str) -> Ruled:
    """What the filter of `snapshot` judges.

    Raises `InputError` when the ledger lacks a document: its step comes first.
    """
    from pyspark.sql import functions as F

    told = _told(store, snapshot).localCheckpoint()
    documents = store.read(DOCUMENTS).drop("licence_statements")
    rows = documents.where(F.col("snapshot") == snapshot)
    rows = rows.join(told, ["snapshot", "doc_id"], "left")
    counted = rows.agg(F.count("*"), F.count_if(F.col("_decision").isNull())).first()
    own, undecided = counted or (0, 0)
    if undecided:
        raise InputError(
            f"filter: the ledger has no decision on {undecided} documents of snapshot {snapshot}; "
            "materialise the asset `ledger` for it first"
        )
    earlier = told.where(F.col("snapshot") < snapshot)
    carried = earlier.count()
    if carried:
        joined = documents.join(earlier, ["snapshot", "doc_id"])
        rows = rows.unionByName(joined.withColumn("snapshot", F.lit(snapshot)))
    return Ruled(rows, own, carried)


def _told(store: Store, snapshot: str) -> DataFrame:
    """(snapshot, doc_id, _decision, _rule) of the documents of `snapshot`, as its run finds them,
    and of earlier ones that it newly lets in."""
    from pyspark.sql import functions as F

    decision, rule = decided_at(snapshot)
    rows = store.read(LEDGER).where(
        (F.col("snapshot") == snapshot)
        | ((F.col("changed_in") == snapshot) & (F.col("snapshot") < snapshot))
    )
    rows = rows.select("snapshot", "doc_id", decision.alias("_decision"), rule.alias("_rule"))
    return rows.where((F.col("snapshot") == snapshot) | (F.col("_decision") == ALLOW))


def ruled_records(frame: DataFrame, policy: Policy) -> DataFrame:
    """Rows with a column `licence`, given `_decision` and `_rule` by `policy`."""
    from pyspark.sql.types import StructType

    added = [
        {"name": name, "type": "string", "nullable": True, "metadata": {}} for name in _ADDED
    ]  # fmt: skip
    schema = StructType.fromJson(
        {"type": "struct", "fields": [*frame.schema.jsonValue()["fields"], *added]}
    )

    def rule(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        @lru_cache(4096)
        def decided(licence: Any, source: Any) -> tuple[str, str]:
            stated = normalised(licence if isinstance(licence, str) else None)
            decision = policy.decide(stated, source=str(source or ""))
            return decision.verdict, decision.rule

        for batch in batches:
            licences = batch.column("licence").to_pylist()
            known = "source" in batch.schema.names
            sources = batch.column("source").to_pylist() if known else [None] * len(licences)
            found = [decided(*pair) for pair in zip(licences, map(_plain, sources), strict=True)]
            columns = [pa.array([one[place] for one in found], pa.string()) for place in (0, 1)]
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, *columns], names=[*batch.schema.names, *_ADDED]
            )

    return frame.mapInArrow(rule, schema)


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def admitted(ruled: DataFrame) -> DataFrame:
    """The rows that the quality rules judge, without the licence columns."""
    return ruled.where(ruled["_decision"] == ALLOW).drop(*_ADDED)


def with_refused(judged: Decided, ruled: DataFrame, id_column: str) -> Decided:
    """`judged`, with the rows that no quality rule judges: denied ones are rejected by the
    policy's rule, those to review quarantined."""
    from pyspark.sql import functions as F

    rows = ruled.where(ruled["_decision"] != ALLOW)
    deny = F.col("_decision") == "deny"
    # Refused is 1 where 0 would pass, as every rule has a score and a threshold.
    reason = F.struct(
        F.col("_rule").alias("rule"), F.lit(1.0).alias("score"), F.lit(0.0).alias("threshold")
    )
    score = F.struct(F.col("_rule").alias("rule"), F.lit(1.0).alias("score"))
    message = F.concat(F.lit("rule "), F.col("_rule"), F.lit(" of the licence matrix asks to look"))
    values = {
        "_verdict": F.when(deny, REJECTED).otherwise(QUARANTINED),
        "_reasons": F.when(deny, F.array(reason)),
        "_scores": F.array(score),
        "_error_class": F.when(~deny, F.lit(REVIEW)),
        "_message": F.when(~deny, message),
        "_pointer": F.when(~deny, F.col(id_column).cast("string")),
    }
    refused = rows.withColumns(values).drop(*_ADDED)
    return Decided(judged.frame.unionByName(refused))
