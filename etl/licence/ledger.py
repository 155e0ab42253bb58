"""The ledger step: licence, evidence and opt-outs of each document, and what the policy decides.

A run of snapshot S decides the documents of S. When the policy (the matrix, or a setting of the
profile) is another than that of the run before, it decides all live documents again, from the
evidence in the ledger: nothing is fetched and nothing extracted. Between, it decides again what S
found to be reserved since (FETCHES). A run of an older snapshot leaves later decisions alone.

`filter` takes from here which documents go on, and carries those that S newly admits into its
partition; `corpus` removes those that are no longer admitted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.licence.live import ALLOW, still_live
from etl.licence.policy import Decision, Policy
from schemas.report import JobReport
from schemas.spec import spark_type
from schemas.tables import DOCUMENTS, FETCHES, LEDGER, POLICIES, STRINGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.tables.store import Store

STEP = "ledger"
ROBOTS = "robots"
OPTED_OUT = "opted_out"
_VISITS = ("fetched", "not_modified", "denied_robots", OPTED_OUT)
_FACTS = ("snapshot", "doc_id", "uri_id", "source", "url", "licence", "evidence")
_DECIDED = (
    pa.field("decision", pa.string()),
    pa.field("rule", pa.string()),
    pa.field("conditions", STRINGS),
)
_SAME_FACTS = ("licence", "evidence", "robots", "opt_outs")
CHANGED = " OR ".join(
    f"NOT (old.{name} <=> new.{name})"
    for name in (*_SAME_FACTS, "use", "decision", "rule", "conditions")
)
"""When a row of the ledger is written again: a policy that decides the same leaves it alone."""
_WHY = ("decision", "rule", "matrix_version", "policy_hash")
_PREVIOUS = tuple(f"previous_{name}" for name in _WHY)
_CACHED = 4096


def ledger_snapshot(store: Store, snapshot: str, policy: Policy) -> JobReport:
    """Brings LEDGER up to date with DOCUMENTS and FETCHES of `snapshot` and with `policy`.

    The report counts the documents of `snapshot`: kept (allow), rejected by rule (deny),
    quarantined (review). Of earlier documents `extra` counts those `admitted` and `refused` now;
    `late` says that a later snapshot has been here. Run again, it changes nothing.
    """
    from pyspark.sql import functions as F

    started = time.monotonic()
    last, applied = _last_policy(store)
    late = last > snapshot  # a later snapshot has been through here
    again = not late and applied != policy.hash
    # Each table is read once and the plan cut there: on a small snapshot the planning of many scans
    # of Delta tables costs more than all the rest.
    visits = _visits(store, snapshot).localCheckpoint()
    documents = _documents(store, snapshot).localCheckpoint()
    known = _known(store, snapshot, visits, late, again).localCheckpoint()
    facts = _own_facts(documents, visits)
    if not late:
        facts = facts.unionByName(_earlier_facts(store, snapshot, documents, known, visits))
    rows = facts.join(_old(known), ["snapshot", "doc_id"], "left")
    if late:  # what later visits saw stands
        kept = {name: F.coalesce(f"old_{name}", name) for name in ("robots", "opt_outs")}
        rows = rows.withColumns(kept)
    if not again:
        same = [f"{name} <=> old_{name}" for name in _SAME_FACTS]
        rows = rows.where(f"old_decision IS NULL OR NOT ({' AND '.join(same)})")
    mine = known.where(F.col("snapshot") == snapshot)
    undone = mine.join(documents, ["snapshot", "doc_id"], "left_anti")
    commit = store.merge(
        LEDGER, _new_rows(decide_frame(rows, policy), snapshot, policy),
        when_changed=CHANGED, delete=undone,
    )  # fmt: skip
    if not late and (last, applied) != (snapshot, policy.hash):
        _note_policy(store, snapshot, policy)
    report = _report(store, snapshot, documents.count())
    report.extra |= {"rows_written": commit.rows, "matrix_version": policy.matrix.version}
    report.extra |= {"policy_hash": policy.hash, "policy_changed": str(again).lower()}
    report.extra["late"] = str(late).lower()
    report.outputs = {spec.name: store.path(spec) for spec in (LEDGER, POLICIES)}
    report.seconds = time.monotonic() - started
    return report.require_reconciled()


def _documents(store: Store, snapshot: str) -> DataFrame:
    """`_FACTS` of the snapshot's documents, as extraction found them."""
    from pyspark.sql import functions as F

    evidence = F.coalesce("licence_statements", F.array().cast(_type(LEDGER.column("evidence"))))
    rows = store.read(DOCUMENTS).where(F.col("snapshot") == snapshot)
    return rows.withColumn("evidence", evidence).select(*_FACTS)


def _known(store: Store, snapshot: str, visits: DataFrame, late: bool, again: bool) -> DataFrame:
    """The rows of the ledger that a run of `snapshot` may have to decide anew: its own and, unless
    it is `late`, earlier ones: all of them `again`, or those of the pages it visited."""
    from pyspark.sql import functions as F

    mine, rows = F.col("snapshot") == snapshot, store.read(LEDGER)
    if late:
        return rows.where(mine)
    earlier = rows.where(F.col("snapshot") <= snapshot)
    if again:
        return earlier
    visited = visits.select("uri_id", F.lit(True).alias("_visited"))
    joined = earlier.join(visited, "uri_id", "left")
    return joined.where(mine | F.col("_visited")).drop("_visited")


def _old(known: DataFrame) -> DataFrame:
    """The ledger as it stands, its columns named `old_`."""
    from pyspark.sql import functions as F

    names = (*_SAME_FACTS, *_WHY, *_PREVIOUS, "changed_in")
    renamed = [F.col(name).alias(f"old_{name}") for name in names]
    return known.select("snapshot", "doc_id", *renamed)


def _last_policy(store: Store) -> tuple[str, str]:
    """(snapshot, hash) of the policy by which all live documents are decided; "" before any run."""
    from pyspark.sql import functions as F

    last = store.read(POLICIES).orderBy(F.desc("snapshot")).first()
    return (last["snapshot"], last["policy_hash"]) if last else ("", "")


def _note_policy(store: Store, snapshot: str, policy: Policy) -> None:
    """Written last: after a run that was killed before, everything is decided again."""
    row = {
        "snapshot": snapshot,
        "matrix_version": policy.matrix.version,
        "policy_hash": policy.hash,
        "use": policy.config.use,
    }
    store.replace(POLICIES, store.spark.createDataFrame([row]), {"snapshot": snapshot})


def _visits(store: Store, snapshot: str) -> DataFrame:
    """(uri_id, robots, seen): what the visits of `snapshot` learnt of reservations."""
    from pyspark.sql import functions as F

    fetches = store.read(FETCHES).where(F.col("snapshot") == snapshot)
    verdict, none = F.col("verdict"), F.array().cast("array<string>")
    told = F.coalesce(F.col("opt_outs"), none) if "opt_outs" in fetches.columns else none
    nameless = (verdict == OPTED_OUT) & (F.size(told) == 0)
    return fetches.where(verdict.isin(*_VISITS)).select(
        "uri_id",
        F.when(verdict == "denied_robots", "disallowed").otherwise("allowed").alias("visited"),
        F.when(nameless, F.array(F.lit(OPTED_OUT))).otherwise(told).alias("seen"),
    )


def _own_facts(documents: DataFrame, visits: DataFrame) -> DataFrame:
    """What is known of the documents of the snapshot, as it was when they were fetched."""
    from pyspark.sql import functions as F

    return documents.join(visits, "uri_id", "left").select(
        *_FACTS,
        F.coalesce("visited", F.lit("not_crawled")).alias("robots"),
        F.sort_array(F.coalesce("seen", F.array().cast("array<string>"))).alias("opt_outs"),
    )


def _earlier_facts(
    store: Store, snapshot: str, documents: DataFrame, known: DataFrame, visits: DataFrame
) -> DataFrame:
    """What the ledger knows of earlier documents that live, with what was seen of them since.

    A visit that brought no new bytes adds reservations and takes none away.
    """
    from pyspark.sql import functions as F

    live = still_live(store, known, snapshot).where(F.col("snapshot") < snapshot)
    live = live.join(documents.select("uri_id"), "uri_id", "left_anti").drop("uri_id")
    rows = known.join(live, ["snapshot", "doc_id"], "left_semi")
    joined = rows.join(visits, "uri_id", "left")
    seen = F.coalesce("seen", F.array().cast("array<string>"))
    return joined.select(
        *_FACTS,
        F.coalesce("visited", "robots").alias("robots"),
        F.sort_array(F.array_union("opt_outs", seen)).alias("opt_outs"),
    )


def decide_frame(frame: DataFrame, policy: Policy) -> DataFrame:
    """Adds `decision, rule, conditions` to rows with `licence, source, evidence, robots, opt_outs`.

    Pure: no table is read. Documents of the same facts are decided once a batch.
    """
    from pyspark.sql.types import StructType

    added = [
        {"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}}
        for f in _DECIDED
    ]
    fields = [*frame.schema.jsonValue()["fields"], *added]
    schema = StructType.fromJson({"type": "struct", "fields": fields})
    return frame.mapInArrow(_batch_function(policy), schema)


def _batch_function(
    policy: Policy,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def decide(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        @lru_cache(_CACHED)
        def decided(
            licence: str, source: str, opt_outs: tuple[str, ...], kinds: tuple[str, ...]
        ) -> Decision:
            return policy.decide(licence, source=source, opt_outs=opt_outs, evidence=kinds)

        for batch in batches:
            facts = ("licence", "source", "evidence", "robots", "opt_outs")
            found = [
                decided(licence, source, _signals(robots, opt_outs), _kinds(evidence, licence))
                for licence, source, evidence, robots, opt_outs in zip(
                    *(batch.column(name).to_pylist() for name in facts), strict=True
                )
            ]
            columns = [
                pa.array([one.verdict for one in found], pa.string()),
                pa.array([one.rule for one in found], pa.string()),
                pa.array([list(one.conditions) for one in found], STRINGS),
            ]
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, *columns], schema=pa.schema([*batch.schema, *_DECIDED])
            )

    return decide


def _signals(robots: str, opt_outs: list[str]) -> tuple[str, ...]:
    return (*opt_outs, ROBOTS) if robots == "disallowed" else tuple(opt_outs)


def _kinds(evidence: list[dict[str, Any]], licence: str) -> tuple[str, ...]:
    """The kinds of evidence that say what was taken for the licence."""
    told = {one["kind"] for one in evidence if one["ignored"] is None and one["licence"] == licence}
    return tuple(sorted(told))


def _new_rows(decided: DataFrame, snapshot: str, policy: Policy) -> DataFrame:
    """Rows of LEDGER. The run that changes a decision notes itself and the decision before; where
    the verdict stays (another rule, more evidence) the note of the last change stays, too."""
    from pyspark.sql import functions as F

    same = F.col("old_decision").eqNullSafe(F.col("decision"))
    previous = {
        f"previous_{name}": F.when(same, F.col(f"old_previous_{name}")).otherwise(
            F.col(f"old_{name}")
        )
        for name in _WHY
    }
    values = {
        **previous,
        "use": F.lit(policy.config.use),
        "matrix_version": F.lit(policy.matrix.version),
        "policy_hash": F.lit(policy.hash),
        "changed_in": F.when(same, F.col("old_changed_in")).otherwise(F.lit(snapshot)),
        "decided_at": F.current_timestamp(),
    }
    return decided.withColumns(values).select(*LEDGER.column_names)


def _type(column: Any) -> Any:
    from pyspark.sql.types import ArrayType

    return ArrayType.fromJson(spark_type(column.type))


def _report(store: Store, snapshot: str, rows_in: int) -> JobReport:
    """The counts, taken from the table itself, so that they prove what was written."""
    from pyspark.sql import functions as F

    report = JobReport(verb=STEP, rows_in=rows_in, extra={"admitted": 0, "refused": 0})
    own = F.col("snapshot") == snapshot
    rows = store.read(LEDGER).where(own | (F.col("changed_in") == snapshot))
    counted = rows.groupBy(own.alias("own"), "decision", "rule").count().orderBy("rule").collect()
    for row in counted:
        decision, count = row["decision"], row["count"]
        if not row["own"]:
            report.extra["admitted" if decision == ALLOW else "refused"] += count
        elif decision == ALLOW:
            report.kept += count
        elif decision == "deny":
            report.rejected[row["rule"]] = count
        else:
            report.quarantined += count
    return report
