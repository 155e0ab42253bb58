"""`foundry ingest --map`: a corpus under a field map, with what its card says beside the output."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.ingest.config import IngestConfig
    from etl.ingest.corpus import Corpus
    from etl.ingest.corpus_read import Written
    from orchestration.cli.output import Writer

FACTS = "_card.json"


def ingest_corpus(
    args: argparse.Namespace, config: IngestConfig
) -> Callable[[SparkSession, Writer], None] | None:
    """What writes the corpus, once Spark runs; None without a map. Map, card, licence and citation
    are checked now: raises `InputError`."""
    from etl.ingest.corpus import load_corpus
    from orchestration.cli.output import require_input

    require_input(args.input)
    corpus = load_corpus(args.input, config)
    if corpus is None:
        return None

    def work(spark: SparkSession, writer: Writer) -> None:
        write = _write_rows if writer.folder is None else _write_files
        write(spark, args.input, corpus, config, writer)
        report = writer.report
        report.extra |= {"map": corpus.map.name, "card": corpus.card.facts()}
        writer.write_facts(FACTS, corpus.card.facts() | {"records": report.kept})

    return work


def _write_files(
    spark: SparkSession, path: str, corpus: Corpus, config: IngestConfig, writer: Writer
) -> None:
    """Local output: the workers write the tables' files."""
    from etl.ingest.corpus_read import write_corpus

    written = write_corpus(spark, path, corpus, config, writer.folder or "", writer.file_format)
    note_written(written, writer)
    writer.report.extra["files"] = written.inputs


def note_written(written: Written, writer: Writer) -> None:
    """The report of tables that the workers wrote."""
    from etl.ingest.corpus_read import KEPT_TABLE, QUARANTINE_TABLE, REJECTED_TABLE
    from etl.ingest.mapped import WHERE_RULE

    report = writer.report
    report.kept, report.quarantined = written.rows(KEPT_TABLE), written.rows(QUARANTINE_TABLE)
    if rejected := written.rows(REJECTED_TABLE):
        report.rejected = {WHERE_RULE: rejected}
        writer.written("rejected", REJECTED_TABLE)
    report.rows_in = report.kept + report.quarantined + rejected
    writer.written("documents", KEPT_TABLE)
    if report.quarantined:
        writer.written("quarantined", QUARANTINE_TABLE)


def _write_rows(
    spark: SparkSession, path: str, corpus: Corpus, config: IngestConfig, writer: Writer
) -> None:
    """Output on S3: Spark writes and commits the tables."""
    from etl.ingest.corpus_read import corpus_frame
    from orchestration.cli.text import one_table

    with corpus_frame(spark, path, corpus, config).persisted() as records:
        one_table(records, writer, "documents")
