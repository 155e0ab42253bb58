"""From a document back to the archive: where each record of OUT/warc lay in Common Crawl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

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
