"""Files that landed, into the documents of a snapshot of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from etl.extract.job import ExtractConfig, extract_frame, write_documents
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import load_corpus
from etl.ingest.read import place_of, read_files
from etl.tables.outcome import KEPT, QUARANTINED, Decided
from schemas.report import JobReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.sql import DataFrame

    from etl.tables.store import Store


def ingest_snapshot(
    store: Store,
    files: Sequence[str],
    reading: IngestConfig,
    snapshot: str,
    config: ExtractConfig,
    *,
    provenance: Callable[[DataFrame], DataFrame] | None = None,
) -> JobReport:
    """Reads files of any format but Delta into DOCUMENTS, REJECTED and QUARANTINE of `snapshot`.

    Pages are extracted; text records keep their text. A record's URI is its `url`; without one, its
    file and id. Of several records with the same URI and bytes in one batch the first counts, and
    the others are quarantined as `same_record`. Run again, nothing changes. With a field map the
    files are those of a corpus, and the report's `extra` holds what its card says. `provenance` may
    say of the rows (by `source_file` and `source_offset`) what the files do not: `origin`,
    `fetched_at`.
    """
    corpus = load_corpus(place_of(files), reading)
    records = read_files(store.spark, list(files), reading)
    unread = records.frame.where(records.frame["_verdict"] != KEPT)
    read = extract_frame(records.kept(), config).frame
    rows = read.unionByName(unread.drop("html", "content_type"), allowMissingColumns=True)
    rows = _once(_identified(rows, snapshot))
    if provenance is not None:
        rows = provenance(rows)
    report = write_documents(store, Decided(rows), snapshot, config)
    if corpus is not None:
        kinds = Counter(corpus.kind(file) for file in files)
        report.extra |= {"map": corpus.map.name, "card": corpus.card.facts(), "files": dict(kinds)}
    return report


def _identified(rows: DataFrame, snapshot: str) -> DataFrame:
    """The columns that DOCUMENTS asks of a record beyond what was extracted.

    A record that could not be read is known by its place: it may have no URI, or share one.
    """
    from pyspark.sql import functions as F

    remote = F.col("source_file").contains("://")
    file = F.when(remote, F.col("source_file")).otherwise(F.concat(F.lit("file://"), "source_file"))
    place = F.concat(file, F.lit("#"), F.col("id"))
    uri = F.concat_ws("\n", F.lit("uri"), F.col("source"), F.col("url"))
    known_by = F.when(F.col("_verdict") == QUARANTINED, F.col("_pointer")).otherwise(uri)
    archived = F.lower(F.col("source_file")).rlike(r"\.(warc|wet)(\.gz|\.zst)?$")
    length = F.col("source_length")
    fetched = [F.col("fetched_at")] if dict(rows.dtypes).get("fetched_at") == "timestamp" else []
    span = F.concat("source_file", F.lit("@"), "source_offset", F.lit("+"), length)
    return rows.withColumn("url", F.coalesce("url", place)).withColumns(
        {
            "snapshot": F.lit(snapshot),
            "uri_id": F.substring(F.sha2(known_by.cast("binary"), 256), 1, 32),
            "warc_file": F.when(archived, F.col("source_file")),
            "warc_offset": F.when(archived, F.col("source_offset")),
            "warc_length": F.when(archived & (length > 0), length),
            "origin": F.coalesce(span, F.concat_ws("#", "source_file", "id")),
            "fetched_at": F.coalesce(*fetched, F.current_timestamp()),
        }
    )


def _once(rows: DataFrame) -> DataFrame:
    """Sets aside all but the first of the records with the same URI and bytes: one version."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    place = F.concat_ws("@", "source_file", "source_offset", "id")
    same = Window.partitionBy("uri_id", "content_sha256").orderBy(place)
    again = (F.row_number().over(same) > 1) & (F.col("_verdict") != QUARANTINED)
    message = "an earlier record of this batch has the same URI and bytes"
    changed = {
        "_verdict": F.lit(QUARANTINED),
        "_error_class": F.lit("same_record"),
        "_message": F.lit(message),
        "_pointer": place,
        "uri_id": F.substring(F.sha2(place.cast("binary"), 256), 1, 32),
    }
    return (
        rows.withColumn("_again", again)
        .withColumns(
            {k: F.when(F.col("_again"), v).otherwise(F.col(k)) for k, v in changed.items()}
        )
        .drop("_again")
    )
