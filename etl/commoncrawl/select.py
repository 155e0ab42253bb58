"""Records of the columnar index, chosen in Spark by predicates that prune its Parquet files.

Layout and columns: github.com/commoncrawl/cc-index-table. The files of a crawl are sorted by
`url_surtkey`, so that a domain's records lie together: its range of keys is a condition, too.
"""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import TYPE_CHECKING

from etl.commoncrawl.config import Selection
from etl.commoncrawl.plan import PLAN_COLUMNS
from etl.storage.location import spark_path
from schemas.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# A share holds blocks of an archive file: neighbours stay together, large files are divided.
_BLOCK_BITS = 26
_READ = (
    "url_surtkey string, url string, url_host_name string, url_host_registered_domain string, "
    "fetch_time timestamp, fetch_status int, content_digest string, content_mime_detected string, "
    "content_languages string, warc_filename string, warc_record_offset bigint, "
    "warc_record_length bigint, crawl string, subset string"
)
_PARTS_PER_MILLION = 1_000_000


def select_records(spark: SparkSession, index: str, selection: Selection) -> DataFrame:
    """The chosen rows, with `PLAN_COLUMNS`. A column that an old crawl lacks is null there, so that
    a condition on it chooses nothing. Raises `InputError` when the index lacks a crawl."""
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F

    root = spark_path(index).rstrip("/")
    paths = [f"{root}/crawl={crawl}/subset={selection.subset}" for crawl in selection.crawls]
    for path in paths:
        if "://" not in path and not Path(path).is_dir():
            raise InputError(f"{path}: no such partition; fetch it from cc-index-table.paths.gz")
    try:
        rows = spark.read.schema(_READ).option("basePath", root).parquet(*paths)
    except AnalysisException as error:
        raise InputError(f"{index}: {str(error).splitlines()[0]}; check --index") from None
    for condition in _conditions(selection):
        rows = rows.where(condition)
    rows = rows.select(*PLAN_COLUMNS)
    chance = F.xxhash64("warc_filename", "warc_record_offset")
    if selection.sample < 1:
        most = round(selection.sample * _PARTS_PER_MILLION)
        rows = rows.where(F.pmod(chance, F.lit(_PARTS_PER_MILLION)) < most)
    if selection.limit:
        rows = rows.orderBy(chance, "warc_filename", "warc_record_offset").limit(selection.limit)
    return rows


def _conditions(selection: Selection) -> list[Column]:
    from pyspark.sql import functions as F

    found: list[Column] = []
    for name, values in (
        ("fetch_status", selection.statuses),
        ("content_mime_detected", selection.mime_types),
        ("url_host_name", selection.hosts),
        ("url_host_registered_domain", selection.domains),
    ):
        if values:
            found.append(F.col(name).isin(*values))
    if selection.languages:
        first = [F.col("content_languages").startswith(code) for code in selection.languages]
        found.append(functools.reduce(operator.or_, first))
    if selection.domains:
        found.append(functools.reduce(operator.or_, map(_key_range, selection.domains)))
    return found


def _key_range(domain: str) -> Column:
    """The keys that a domain's records may have: `com,example)...`, `com,example,www)...` and
    `com,example:8080)...` lie between `com,example` and `com,example;`."""
    from pyspark.sql import functions as F

    key = ",".join(reversed(domain.split(".")))
    return (F.col("url_surtkey") >= key) & (F.col("url_surtkey") < key + ";")


def write_plan(rows: DataFrame, plan: str, shares: int) -> None:
    """Divides the rows into shares and writes each in the order of the archive, in one job.

    Which share a record falls into depends on its place in the archive alone.
    """
    from pyspark.sql import functions as F

    block = F.shiftright(F.col("warc_record_offset"), _BLOCK_BITS)
    share = F.pmod(F.xxhash64("warc_filename", block), F.lit(shares))
    order = ("share", "warc_filename", "warc_record_offset", "url")
    (
        rows.withColumn("share", share)
        .repartition(shares, "share")
        .sortWithinPartitions(*order)
        .write.mode("overwrite")
        .partitionBy("share")
        .parquet(plan)
    )
