"""Documents of Common Crawl's records, each with its way back: where it lay in the archive."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from etl.ingest.job import ingest_snapshot
from schemas.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.extract.job import ExtractConfig
    from etl.ingest.config import IngestConfig
    from etl.tables.store import Store
    from schemas.report import JobReport

ORIGIN_COLUMNS = (
    "origin_crawl", "origin_file", "origin_offset", "origin_length", "origin_digest",
    "origin_fetched_at",
)  # fmt: skip


def with_origin(documents: DataFrame, out: str) -> DataFrame:
    """Adds `ORIGIN_COLUMNS` to documents read from OUT/warc (by `read_records` or `extract_files`),
    from OUT/_records. They are null for a document that came from elsewhere.

    `origin_fetched_at` is when Common Crawl fetched the page; the digest is its SHA-1 in Base32.
    """
    from pyspark.sql import functions as F

    folder = Path(out).absolute()
    rows = documents.sparkSession.read.parquet((folder / "_records").as_uri())
    origins = rows.where(F.col("verdict") == "kept").select(
        F.concat(F.lit(f"{folder / 'warc'}/"), "warc_file").alias("source_file"),
        F.col("warc_offset").alias("source_offset"),
        F.col("crawl").alias("origin_crawl"),
        F.col("warc_filename").alias("origin_file"),
        F.col("warc_record_offset").alias("origin_offset"),
        F.col("warc_record_length").alias("origin_length"),
        F.col("content_digest").alias("origin_digest"),
        F.col("fetch_time").alias("origin_fetched_at"),
    )
    return documents.join(origins, ["source_file", "source_offset"], "left")


def ingest_records(
    store: Store, out: str, reading: IngestConfig, snapshot: str, config: ExtractConfig
) -> JobReport:
    """The records that `fetch_records` brought into `out`, as DOCUMENTS of `snapshot`.

    Their `origin` is FILE@OFFSET+LENGTH in the archive, their `fetched_at` when Common Crawl
    fetched the page. Raises `InputError` when `out` holds no finished fetch.
    """
    folder = Path(out).absolute()
    if not (folder / "_records").is_dir():
        raise InputError(f"{folder}: no records here; materialise the source of {snapshot} again")
    files = sorted(str(path) for path in (folder / "warc").glob("*.warc.gz"))
    archived = partial(_archived, out=str(folder))
    return ingest_snapshot(store, files, reading, snapshot, config, provenance=archived)


def _archived(rows: DataFrame, out: str) -> DataFrame:
    from pyspark.sql import functions as F

    length = F.col("origin_length").cast("string")
    place = F.concat("origin_file", F.lit("@"), "origin_offset", F.lit("+"), length)
    known = {
        "origin": F.coalesce(place, "origin"),
        "fetched_at": F.coalesce("origin_fetched_at", "fetched_at"),
    }
    return with_origin(rows, out).withColumns(known).drop(*ORIGIN_COLUMNS)
