"""`foundry tokenize` and `foundry verify`: text to Megatron's files, and the proof of them."""

from __future__ import annotations

import argparse
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
    raise NotImplementedError


def run_verify(args: argparse.Namespace) -> JobReport:
    raise NotImplementedError
