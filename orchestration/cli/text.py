"""The text verbs: ingest, extract, filter, scrub, dedup. The assets' functions, on any file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from etl.licence.policy import Policy
    from etl.tables.outcome import Decided
    from orchestration.cli.output import Writer
    from schemas.report import JobReport

_FORMATS = ("delta", "parquet")
_ID = "id"
_INPUT = (
    "IN is told by its content: WARC, WET, HTML, JSONL, Parquet, Delta; MediaWiki and "
    "StackExchange dumps; git repositories (folders and bundles); LaTeX, PDF, EPUB, plain text; "
    "also packed with gzip, bzip2 or zstd, papers in tar, StackExchange sites in 7z. Settings: "
    "extract.formats in the profile."
)


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("input", metavar="IN", help="a file, a folder or an s3:// prefix")
    shared.add_argument("output", metavar="OUT", help="a folder or s3:// prefix, new or foundry's")
    shared.add_argument("--format", choices=_FORMATS, default="delta", help="default: %(default)s")
    parents = [common, shared]

    ingest = verbs.add_parser(
        "ingest", parents=parents, help="corpora into raw documents", description=_INPUT
    )
    _add_corpus_options(ingest)
    ingest.set_defaults(run=run_ingest)
    extract = verbs.add_parser(
        "extract",
        parents=parents,
        help="WARC or HTML into text, title, language, licence",
        description=_INPUT,
    )
    extract.set_defaults(run=run_extract)
    filters = verbs.add_parser("filter", parents=parents, help="quality rules: kept/ and rejected/")
    filters.add_argument(
        "--profile", choices=("default", "gopher", "c4", "fineweb", "none"), default="default"
    )
    filters.set_defaults(run=run_filter)
    scrub = verbs.add_parser("scrub", parents=parents, help="personal data found and masked")
    scrub.set_defaults(run=run_scrub)
    dedup = verbs.add_parser("dedup", parents=parents, help="exact and near duplicates")
    dedup.add_argument("--against", metavar="TABLE", help="keep only what TABLE does not hold")
    dedup.add_argument("--profile", choices=("default", "datatrove"), default="default")
    dedup.set_defaults(run=run_dedup)


def _add_corpus_options(ingest: argparse.ArgumentParser) -> None:
    corpus = ingest.add_argument_group(
        "corpora in tables and lines",
        "JSONL, Parquet or Delta whose fields have names of their own",
    )
    corpus.add_argument("--map", default="", metavar="NAME",
                        help="field map: a YAML file, or a name in deploy/corpora")  # fmt: skip
    corpus.add_argument("--card", default="", metavar="FILE",
                        help="dataset card; default: the README.md of IN")  # fmt: skip
    corpus.add_argument("--licence", default="", metavar="ID", help="instead of the card's")
    corpus.add_argument("--citation", default="", metavar="TEXT", help="instead of the card's")
    corpus.add_argument("--config", default="", metavar="NAME", help="configuration of the card")
    corpus.add_argument("--split", default="", metavar="NAME", help="default: all splits")


def _with_output(
    args: argparse.Namespace, work: Callable[[SparkSession, Writer], None]
) -> JobReport:
    """Starts Spark, lets `work` write below a staging folder, and completes the report."""
    from etl.storage.location import is_s3
    from orchestration.cli.output import (
        Writer,
        progress,
        quiet_session,
        require_input,
        size_of,
        staged,
    )
    from schemas.errors import InputError
    from schemas.report import JobReport

    started = time.monotonic()
    inputs = [path for path in (args.input, getattr(args, "against", None)) if path]
    for path in inputs:
        require_input(path)
    if is_s3(args.output) and args.format != "delta":
        raise InputError(
            f"{args.output}: --format {args.format} cannot be committed whole on S3; "
            "leave it at delta, or name a folder and copy that"
        )
    report = JobReport(verb=args.verb, bytes_in=size_of(args.input))
    with staged(args.output, report) as staging:
        progress("starting Spark")
        spark = quiet_session(args.debug, *inputs, args.output)
        progress(f"{args.verb} {args.input}")
        work(spark, Writer(staging, args.output, args.format, report))
        report.require_reconciled()
    report.seconds = time.monotonic() - started
    progress(
        f"in {report.rows_in}, kept {report.kept}, rejected {sum(report.rejected.values())}, "
        f"quarantined {report.quarantined}, {report.seconds:.1f} s -> {args.output}"
    )
    return report


def _count_in(total: JobReport, part: JobReport) -> None:
    """Adds a step's counts to the verb's. The step read what the reader kept."""
    total.kept = part.kept
    total.quarantined += part.quarantined
    for rule, count in part.rejected.items():
        total.rejected[rule] = total.rejected.get(rule, 0) + count


def _write_quarantine(writer: Writer, parts: list[DataFrame], folder: str) -> None:
    """One table of everything that could not be processed; absent when there is nothing."""
    if not writer.report.quarantined:
        return
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.unionByName(part, allowMissingColumns=True)
    columns = ["error_class", "message", "pointer"]
    writer.write(rows.select(*([_ID] if _ID in rows.columns else []), *columns),
                 "quarantined", folder)  # fmt: skip


def _read(spark: SparkSession, path: str) -> Decided:
    from etl.ingest.config import IngestConfig
    from etl.ingest.read import read_records
    from orchestration.profile import load_profile

    profile = load_profile()
    return read_records(spark, path, IngestConfig(s3=profile.s3, formats=profile.extract.formats))


def run_ingest(args: argparse.Namespace) -> JobReport:
    """IN's records, whatever their format, as one table: OUT. With a map, those of a corpus."""
    from etl.ingest.config import IngestConfig
    from etl.ingest.lines import write_lines
    from orchestration.cli.corpora import ingest_corpus, note_written
    from orchestration.cli.output import progress
    from orchestration.profile import load_profile

    profile = load_profile()
    config = IngestConfig(
        s3=profile.s3,
        formats=profile.extract.formats,
        field_map=args.map,
        card=args.card,
        licence=args.licence,
        citation=args.citation,
        config=args.config,
        split=args.split,
    )
    corpus = ingest_corpus(args, config)

    def work(spark: SparkSession, writer: Writer) -> None:
        if corpus is not None:
            corpus(spark, writer)
            return
        if writer.folder is not None:
            written = write_lines(spark, args.input, config, writer.folder, writer.file_format)
            if written is not None:
                note_written(written, writer)
                return
            progress("through Spark: other formats, or types that only all records settle")
        with _read(spark, args.input).persisted() as records:
            one_table(records, writer, "documents")

    return _with_output(args, work)


def run_extract(args: argparse.Namespace) -> JobReport:
    """Main text of IN's pages as one table: OUT."""

    def work(spark: SparkSession, writer: Writer) -> None:
        from etl.extract.job import extract_files
        from orchestration.profile import load_profile

        profile = load_profile()
        pages = extract_files(spark, args.input, profile.extract, profile.s3)
        with pages.persisted() as pages:
            one_table(pages, writer, "documents")

    return _with_output(args, work)


def one_table(rows: Decided, writer: Writer, name: str) -> None:
    report = rows.report(writer.report.verb)
    writer.report.rows_in = report.rows_in
    _count_in(writer.report, report)
    writer.write(rows.kept(), name, "")
    if report.rejected:
        writer.write(rows.rejected(), "rejected", "_rejected")
    _write_quarantine(writer, [rows.quarantined()], "_quarantined")


def _text_step(
    args: argparse.Namespace,
    step: Callable[[DataFrame], Decided],
    write: Callable[[Decided, Writer], None],
) -> JobReport:
    """A step from records to records: kept/ and what else `write` writes."""

    def work(spark: SparkSession, writer: Writer) -> None:
        with _read(spark, args.input).persisted() as records:
            read = records.report("read")
            writer.report.rows_in, writer.report.quarantined = read.rows_in, read.quarantined
            with step(records.kept()).persisted() as decided:
                _count_in(writer.report, decided.report(args.verb, rows_in=read.kept))
                write(decided, writer)
                _write_quarantine(
                    writer, [records.quarantined(), decided.quarantined()], "quarantined"
                )

    return _with_output(args, work)


def run_filter(args: argparse.Namespace) -> JobReport:
    """kept/ as it came in, rejected/ with the deciding rule, its score and threshold."""

    def step(rows: DataFrame) -> Decided:
        from etl.filter.config import FilterConfig
        from etl.filter.job import filter_frame

        config = FilterConfig(profile=args.profile)
        return filter_frame(rows, config, id_column=_ID, policy=_record_policy())

    def write(decided: Decided, writer: Writer) -> None:
        writer.write(decided.kept(), "kept")
        writer.write(decided.rejected().select(_ID, "rule", "score", "threshold"), "rejected")

    return _text_step(args, step, write)


def _record_policy() -> Policy:
    """The profile's, but records may come without a known licence: that is their owner's matter."""
    from dataclasses import replace

    from etl.licence.policy import load_policy
    from orchestration.profile import load_profile

    return load_policy(replace(load_profile().licences, unknown="allow"))


def run_scrub(args: argparse.Namespace) -> JobReport:
    """kept/ with masked text, findings/ with what kind was where, never the value."""

    def step(rows: DataFrame) -> Decided:
        from etl.scrub.job import scrub_frame
        from orchestration.profile import load_profile

        return scrub_frame(rows, load_profile().scrub, id_column=_ID)

    def write(decided: Decided, writer: Writer) -> None:
        kept = decided.kept()
        writer.write(kept.drop("findings"), "kept")
        found = kept.selectExpr(_ID, "explode(findings) AS found")
        writer.write(found.select(_ID, "found.*"), "findings")

    return _text_step(args, step, write)


def run_dedup(args: argparse.Namespace) -> JobReport:
    """kept/: the rows that survive; clusters/: every member of a cluster, with its survivor."""

    def work(spark: SparkSession, writer: Writer) -> None:
        from etl.dedup.config import DedupConfig
        from etl.dedup.frame import dedup_frame

        config = DedupConfig(profile=args.profile)
        with _read(spark, args.input).persisted() as records:
            read = records.report("read")
            writer.report.rows_in, writer.report.quarantined = read.rows_in, read.quarantined
            against = _read(spark, args.against).kept() if args.against else None
            result = dedup_frame(records.kept(), config, id_column=_ID, against=against)
            writer.write(result.kept, "kept")
            writer.write(result.clusters, "clusters")
            _count_in(writer.report, result.report)
            _write_quarantine(writer, [records.quarantined()], "quarantined")

    return _with_output(args, work)
