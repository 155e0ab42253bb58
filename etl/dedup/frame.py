"""`dedup_frame`: duplicates among the rows of any frame, and against records kept before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.dedup.clusters import NODE_COLUMNS, find_clusters, node_key
from etl.dedup.config import EXACT_RULE, NEAR_RULE, DedupConfig
from etl.dedup.signatures import sign_frame
from schemas.errors import InputError
from schemas.report import JobReport

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True, slots=True)
class DedupResult:
    """What is kept, what is dropped and why.

    `kept`: the surviving input rows, all their columns. `clusters`: id, cluster_id (the smallest
    id in it), survivor, similarity (estimated Jaccard similarity to the survivor; 1 for exact
    copies and the survivor itself), method; one row for every document of a cluster of two or
    more, records of `against` too. `rejected`: id, rule, score, threshold, survivor.
    """

    kept: DataFrame
    clusters: DataFrame
    rejected: DataFrame
    report: JobReport


def dedup_frame(
    frame: DataFrame,
    config: DedupConfig,
    *,
    id_column: str = "id",
    against: DataFrame | None = None,
) -> DedupResult:
    """Drops exact and near duplicates among `frame` (columns `text`, `id_column`).

    Survivors: the highest `quality` (a number) if there is such a column, else the longest text in
    units; then the smallest `snapshot` if there is one; then the smallest id. Rows of `against`
    (the same columns) survive over any row of `frame`, are never dropped, and are not in `kept`.
    Rows with one id and one text are one document. Raises `InputError` for a missing column, and
    for an id that names two texts. `frame` is read twice: to sign it, and for the rows kept.
    """
    from pyspark.sql import functions as F

    started = time.monotonic()
    for name, rows in (("input", frame), ("against", against)):
        missing = sorted({"text", id_column} - set(rows.columns if rows is not None else ()))
        if rows is not None and missing:
            raise InputError(f"dedup: the {name} has no column {', '.join(missing)}")
    nodes = sign_nodes(frame, config, id_column=id_column, active=True)
    if against is not None:
        earlier = sign_nodes(against, config, id_column=id_column, active=False)
        nodes = nodes.unionByName(earlier.dropDuplicates(["key"]))
    nodes = nodes.localCheckpoint()
    counted = nodes.where("active").agg(F.count("*"), F.count_distinct("key")).first()
    rows_in, documents = counted or (0, 0)
    unique = nodes
    if documents < rows_in:
        frame = _one_row_per_id(frame, id_column)
        unique = nodes.dropDuplicates(["key"]).localCheckpoint()
    found = find_clusters(unique, config)
    dropped = found.dropped_rows()
    report = JobReport(verb="dedup", rows_in=rows_in, rejected=dict(found.dropped))
    if documents < rows_in:
        copies = report.rejected.get(EXACT_RULE, 0) + rows_in - documents
        report.rejected = dict(sorted({**report.rejected, EXACT_RULE: copies}.items()))
    ids = dropped.select(F.col("id").alias(id_column))
    report.kept = unique.where("active").join(dropped, "id", "left_anti").count()
    report.extra["clusters"] = found.clusters
    report.seconds = time.monotonic() - started
    return DedupResult(
        kept=frame.join(ids, id_column, "left_anti"),
        clusters=found.rows.select("id", "cluster_id", "survivor", "similarity", "method"),
        rejected=dropped.select(
            F.col("id").alias(id_column),
            rule_of(F.col("method")).alias("rule"),
            F.col("similarity").alias("score"),
            threshold_of(F.col("method"), config).alias("threshold"),
            "survivor",
        ),
        report=report.require_reconciled(),
    )


def sign_nodes(frame: DataFrame, config: DedupConfig, *, id_column: str, active: bool) -> DataFrame:
    """`NODE_COLUMNS` of every row of `frame`."""
    from pyspark.sql import functions as F

    quality = F.col("quality").cast("double") if "quality" in frame.columns else F.lit(None)
    snapshot = F.col("snapshot").cast("string") if "snapshot" in frame.columns else F.lit("")
    named = frame.select(
        F.col("text").cast("string").alias("text"),
        F.coalesce(F.col(id_column).cast("string"), F.lit("")).alias("id"),
        quality.cast("double").alias("quality"),
        F.coalesce(snapshot, F.lit("")).alias("snapshot"),
    )
    signed = sign_frame(named, config, ["id", "quality", "snapshot"])
    return signed.withColumns(
        {
            "key": node_key("id", "" if active else "against"),
            "quality": F.coalesce(F.nanvl("quality", F.lit(None)), F.col("units").cast("double")),
            "active": F.lit(active),
        }
    ).select(*NODE_COLUMNS)


def rule_of(method: Column) -> Column:
    from pyspark.sql import functions as F

    return F.when(method == "exact", EXACT_RULE).otherwise(NEAR_RULE)


def threshold_of(method: Column, config: DedupConfig) -> Column:
    from pyspark.sql import functions as F

    return F.when(method == "exact", 1.0).otherwise(config.layout().threshold)


def _one_row_per_id(frame: DataFrame, id_column: str) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    texts = F.count_distinct(F.sha2(F.coalesce("text", F.lit("")), 256))
    torn = frame.groupBy(id_column).agg(texts.alias("texts")).where("texts > 1").first()
    if torn is not None:
        raise InputError(
            f"dedup: id {torn[id_column]} names {torn['texts']} different texts; "
            "give every record an id of its own, or leave the ids out"
        )
    same = Window.partitionBy(id_column).orderBy(F.xxhash64(*frame.columns))
    numbered = frame.withColumn("_copy", F.row_number().over(same))
    return numbered.where("_copy = 1").drop("_copy")
