"""`foundry crawl`: a polite incremental crawl into WARC files and tables, without Dagster."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.tables.store import Store
    from schemas.report import JobReport


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    crawl = verbs.add_parser(
        "crawl", parents=[common], help="polite incremental crawl into WARC, frontier and fetch log"
    )
    crawl.add_argument("--seeds", metavar="FILE", required=True, help="one URL a line")
    crawl.add_argument("output", metavar="OUT", help="a folder; a second crawl goes on from it")
    crawl.add_argument("--max-pages", metavar="N", type=int, help="URLs decided at most")
    crawl.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    raise NotImplementedError
