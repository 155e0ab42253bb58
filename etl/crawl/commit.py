"""From the journal to the tables, through Spark: nothing passes through the driver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.crawl.config import CrawlConfig
from etl.crawl.revisit import next_visit, priority
from etl.crawl.urls import HOST_PATTERN
from schemas.spec import spark_type
from schemas.tables import FETCHES, FRONTIER, LEFT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from etl.tables.store import Commit, Store

_LINKS = pa.list_(pa.string())
EXTRA_FIELDS: tuple[pa.Field, ...] = (
    # "fetch"; "sitemap", a robots.txt names one; "end" closes a finished crawl
    pa.field("kind", pa.string()),
    pa.field("depth", pa.int32()),  # links from a seed
    pa.field("hops", pa.int32()),  # redirects followed to get here
    pa.field("warc_end", pa.int64()),  # end of the page's records in its WARC file
    pa.field("outlinks", _LINKS),  # canonical links in scope
    pa.field("follow", pa.string()),  # redirect target in scope
    pa.field("sitemaps", _LINKS),  # further sitemaps that a sitemap names
)


def journal_schema_json() -> dict[str, Any]:
    """The Spark schema (JSON form) of journal lines: the fetch log's columns and `EXTRA_FIELDS`."""
    fields = [(c.name, c.type) for c in FETCHES.columns if c.name not in ("snapshot", "source")]
    fields += [(f.name, f.type) for f in EXTRA_FIELDS]
    return {
        "type": "struct",
        "fields": [
            {"name": name, "type": spark_type(kind), "nullable": True, "metadata": {}}
            for name, kind in fields
        ],
    }


_NO_FAILURE = (
    "fetched", "not_modified", "redirected", "denied_robots", "opted_out", "sitemap", "queued"
)  # fmt: skip
_COMPARED = ("fetched", "not_modified")


def journal_rows(store: Store, journal: Path) -> DataFrame:
    """The decided URLs of a journal, with the columns of `journal_schema_json`."""
    from pyspark.sql.types import StructType

    schema = StructType.fromJson(json.loads(json.dumps(journal_schema_json())))
    reader = store.spark.read.schema(schema).option("mode", "FAILFAST")
    lines = reader.json(str(journal))
    return lines.where(lines["kind"] == "fetch")


def commit_fetches(store: Store, journal: Path, source: str, snapshot: str) -> Commit:
    """Makes the source's part of the snapshot's partition the rows of the journal."""
    from pyspark.sql import functions as F

    rows = journal_rows(store, journal).withColumns(
        {"snapshot": F.lit(snapshot), "source": F.lit(source)}
    )
    others = store.read(FETCHES).where(
        (F.col("snapshot") == snapshot) & (F.col("source") != source)
    )
    names = FETCHES.column_names
    frame = rows.select(*names).unionByName(others.select(*names))
    return store.replace(FETCHES, frame, {"snapshot": snapshot})


def commit_frontier(
    store: Store, journal: Path, source: str, snapshot: str, config: CrawlConfig
) -> Commit:
    """MERGEs what the crawl learnt of each URL. Run again, it changes nothing."""
    frame = frontier_rows(store, journal, source, snapshot, config)
    differs = " OR ".join(
        f"NOT (old.{name} <=> new.{name})" for name in FRONTIER.column_names if name != "uri_id"
    )
    # A later crawl's knowledge stands when an earlier snapshot is committed again.
    newest = f"coalesce(old.last_visit, '') <= '{snapshot}'"
    return store.merge(FRONTIER, frame, when_changed=f"{newest} AND ({differs})")


def frontier_rows(
    store: Store, journal: Path, source: str, snapshot: str, config: CrawlConfig
) -> DataFrame:
    """The frontier's new rows for every URL that the journal decided or linked to."""
    from pyspark.sql import functions as F

    rows = journal_rows(store, journal)
    decided = rows.select(
        "uri_id", "url", "host", "depth", "etag", "last_modified", "content_sha256", "http_status",
        F.col("verdict").alias("state"),
    )  # fmt: skip
    found = _found(rows, source).join(decided.select("uri_id"), "uri_id", "left_anti")
    nothing = F.lit(None).cast("string")
    queued = found.withColumns(
        {
            "etag": nothing, "last_modified": nothing, "content_sha256": nothing,
            "http_status": F.lit(None).cast("int"), "state": F.lit("queued"),
        }
    )  # fmt: skip
    new = decided.unionByName(queued).withColumn("source", F.lit(source))
    old = store.read(FRONTIER).where(F.col("source") == source)
    joined = new.alias("n").join(old.alias("o"), "uri_id", "left")
    return joined.select("uri_id", *_columns(snapshot, config))


def _found(rows: DataFrame, source: str) -> DataFrame:
    """URLs linked to or redirected to, each once, at its least depth."""
    from pyspark.sql import functions as F

    links = rows.select(F.explode("outlinks").alias("url"), (F.col("depth") + 1).alias("depth"))
    # Sitemaps that a sitemap names are visited in the same crawl: their own rows say so.
    targets = rows.where("follow IS NOT NULL").select(F.col("follow").alias("url"), "depth")
    least = links.unionByName(targets).groupBy("url").agg(F.min("depth").alias("depth"))
    identity = F.sha2(F.concat_ws("\n", F.lit("uri"), F.lit(source), F.col("url")), 256)
    return least.withColumns(
        {
            "uri_id": F.substring(identity, 1, 32),  # schemas.identity.uri_id
            "host": F.regexp_extract("url", HOST_PATTERN, 1),
        }
    )


def _columns(snapshot: str, config: CrawlConfig) -> list[Column]:
    """The frontier's columns but the key, from the crawl's row `n` and the known row `o`."""
    from pyspark.sql import functions as F

    state, known = F.col("n.state"), F.col("o.state").isNotNull()
    linked_only = state == "queued"
    visited_now = F.col("o.last_visit") == snapshot
    failures = F.coalesce("o.failures", F.lit(0))
    # A second commit of the same snapshot must not count its failure again.
    failed = (
        F.when(state.isin(*_NO_FAILURE), F.lit(0))
        .when(visited_now, F.greatest(failures, F.lit(1)))
        .otherwise(failures + 1)
    )

    # The same holds for what its visit has shown.
    compared = F.when(state.isin(*_COMPARED) & ~F.coalesce(visited_now, F.lit(False)), 1)
    visits = F.coalesce("o.visits", F.lit(0)) + F.coalesce(compared, F.lit(0))
    changed = compared.isNotNull() & (state == "fetched") & F.col("o.content_sha256").isNotNull()
    changes = F.coalesce("o.changes", F.lit(0)) + changed.cast("int")

    def keep(name: str) -> Column:
        """The new value; the known one where the visit brought none; nothing where it is gone."""
        new, old = F.col(f"n.{name}"), F.col(f"o.{name}")
        return (
            F.when(state.isin(*LEFT), F.lit(None))
            .when(state.isin("fetched"), new)
            .otherwise(F.coalesce(new, old))
        )

    def visited(value: Column, name: str) -> Column:
        return F.when(linked_only, F.col(f"o.{name}")).otherwise(value)

    snapshot_now = F.lit(snapshot)
    columns = {
        "url": F.col("n.url"),
        "host": F.col("n.host"),
        "source": F.col("n.source"),
        "state": F.when(linked_only & known, F.col("o.state")).otherwise(state),
        "depth": F.least("n.depth", "o.depth"),
        "etag": keep("etag"),
        "last_modified": keep("last_modified"),
        "content_sha256": keep("content_sha256"),
        "http_status": visited(F.col("n.http_status"), "http_status"),
        "first_seen": F.coalesce("o.first_seen", snapshot_now),
        "last_visit": visited(snapshot_now, "last_visit"),
        "last_change": F.when(state == "fetched", snapshot_now).otherwise(F.col("o.last_change")),
        "failures": F.when(linked_only, failures).otherwise(failed),
        "visits": visits,
        "changes": changes,
        "priority": priority(visits, changes),
        "next_visit": visited(
            next_visit(
                snapshot, config, state=state, visits=visits, changes=changes, failures=failed,
                first_seen=F.coalesce("o.first_seen", snapshot_now),
            ),
            "next_visit",
        ),
    }  # fmt: skip
    return [value.alias(name) for name, value in columns.items()]
