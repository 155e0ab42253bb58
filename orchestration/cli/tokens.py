"""`foundry tokenize` and `foundry verify`: text to Megatron's files, and the proof of them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.report import JobReport


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    tokenize = verbs.add_parser(
        "tokenize", parents=[common], help="text into PREFIX.bin, .idx, .docs.parquet, manifest"
    )
    tokenize.add_argument("input", metavar="IN", help="a file, a folder or an s3:// prefix")
    tokenize.add_argument("prefix", metavar="PREFIX", help="path of the output without suffix")
    tokenize.add_argument(
        "--tokenizer", metavar="FILE", required=True, help="a tokenizer.json, or its folder"
    )
    tokenize.set_defaults(run=run_tokenize)
    verify = verbs.add_parser(
        "verify", parents=[common], help="checksums and structure of an indexed dataset"
    )
    verify.add_argument("prefix", metavar="PREFIX", help="path of the dataset without suffix")
    verify.set_defaults(run=run_verify)


def run_tokenize(args: argparse.Namespace) -> JobReport:
    """One dataset, PREFIX.*; what was there before stays until the new one is whole."""
    from etl.ingest.config import IngestConfig
    from etl.ingest.read import read_records
    from orchestration.cli.output import progress, quiet_session, require_input, size_of
    from orchestration.profile import load_profile
    from tokenizers_mm.indexed.tokenize import tokenize_frame

    started = time.monotonic()
    require_input(args.input)
    require_input(args.tokenizer)
    profile = load_profile()
    config = dataclasses.replace(profile.tokens, single=True)
    Path(args.prefix).absolute().parent.mkdir(parents=True, exist_ok=True)
    progress("starting Spark")
    spark = quiet_session(args.debug, args.input)
    reading = IngestConfig(s3=profile.s3, formats=profile.extract.formats)
    with read_records(spark, args.input, reading).persisted() as records:
        read = records.report("read")
        progress(f"encoding {read.kept} documents")
        _, report = tokenize_frame(
            records.kept(), args.prefix, args.tokenizer, config, id_column="id"
        )
    report.rows_in += read.quarantined
    report.quarantined += read.quarantined
    report.bytes_in = size_of(args.input)
    report.seconds = time.monotonic() - started
    progress(f"{report.extra['tokens']} tokens in {report.seconds:.1f} s -> {args.prefix}.bin")
    return report.require_reconciled()


def run_verify(args: argparse.Namespace) -> JobReport:
    """Exit status 1 when something is wrong; each problem is a line on stderr."""
    from tokenizers_mm.indexed.verify import verify_dataset

    report, problems = verify_dataset(args.prefix)
    for problem in problems:
        print(problem, file=sys.stderr)
    print("damaged" if problems else "good", file=sys.stderr)
    args.exit_status = 1 if problems else 0
    return report
