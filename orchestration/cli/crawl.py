"""`foundry crawl`: a polite incremental crawl into WARC files and tables, without Dagster."""

from __future__ import annotations

import argparse
import dataclasses
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
    crawl.add_argument("output", metavar="OUT", help="a folder or s3:// prefix to go on from")
    crawl.add_argument("--max-pages", metavar="N", type=int, help="URLs decided at most")
    crawl.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    """OUT/warc holds the pages, OUT/store the tables; each call is a snapshot of its own.

    With OUT on S3 the crawl works in HOME/crawls, and its WARC files are uploaded when it is done.
    """
    from etl.crawl.snapshot import crawl_snapshot
    from etl.storage.location import Location, is_s3
    from etl.tables.store import Store
    from orchestration.cli.output import progress, quiet_session
    from orchestration.profile import load_profile
    from schemas.errors import InputError

    seeds = read_seeds(args.seeds)
    profile = load_profile()
    config = profile.crawl.config
    if args.max_pages is not None:
        if args.max_pages < 1:
            raise InputError(f"--max-pages is {args.max_pages}; it must be at least 1")
        config = dataclasses.replace(config, max_pages=args.max_pages)
    remote = is_s3(args.output)
    if remote:
        place = Location.parse(args.output)
        out = profile.home_path / "crawls" / place.bucket / place.folder
    else:
        out = Path(args.output).absolute()
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder for the crawl")
    out.mkdir(parents=True, exist_ok=True)
    progress("starting Spark")
    root = args.output.rstrip("/") if remote else str(out)
    store = Store(quiet_session(args.debug, root), f"{root}/store")
    snapshot = next_snapshot(out, store, datetime.now(UTC))
    progress(f"snapshot {snapshot}, {len(seeds)} seeds")
    report = crawl_snapshot(
        store, str(out / "warc"), seeds, profile.source, snapshot, config,
        archive=f"{root}/warc", s3=profile.s3,
    )  # fmt: skip
    report.extra["snapshot"] = snapshot
    return report


def read_seeds(path: str) -> list[str]:
    """One URL a line; empty lines and lines that begin with `#` are passed over."""
    from orchestration.cli.output import require_input
    from schemas.errors import InputError

    require_input(path)
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    seeds = [line for line in lines if line and not line.startswith("#")]
    if not seeds:
        raise InputError(f"{path}: holds no URL; write one a line")
    return seeds


def next_snapshot(out: Path, store: Store, now: datetime) -> str:
    """The snapshot that a killed crawl left unfinished, else a new one named by the time."""
    from schemas.tables import FETCHES

    begun = sorted(folder.name for folder in (out / "warc").glob("*") if folder.is_dir())
    if begun:
        rows = store.read(FETCHES)
        if not rows.where(rows["snapshot"] == begun[-1]).head(1):
            return begun[-1]
    name = now.strftime("%Y-%m-%dT%H%M%SZ")
    # Two crawls within one second would share a name.
    return name if not begun or name > begun[-1] else f"{begun[-1]}.1"
