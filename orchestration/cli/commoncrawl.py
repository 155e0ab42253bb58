"""`foundry commoncrawl`: records chosen from Common Crawl's index, or whole files by a list."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.commoncrawl import RangeConfig, Selection
    from schemas.report import JobReport

_CONDITIONS = {
    "crawl": ("crawls", "a crawl, such as CC-MAIN-2024-22"),
    "language": ("languages", "a record's first language, ISO 639-3"),
    "mime": ("mime_types", "its detected type, such as text/html"),
    "domain": ("domains", "its registered domain"),
    "host": ("hosts", "its host"),
    "status": ("statuses", "its HTTP status (default: 200)"),
}


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "commoncrawl",
        parents=[common],
        help="records of Common Crawl chosen by its index and fetched by range, or whole files",
    )
    parser.add_argument("output", metavar="OUT", help="a folder; the same command again goes on")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", metavar="FOLDER", help="the columnar index, local or on s3://")
    what.add_argument("--paths", metavar="FILE", help="whole files: a list such as warc.paths.gz")
    for option, (_, text) in _CONDITIONS.items():
        kind = int if option == "status" else str
        parser.add_argument(
            f"--{option}", metavar=option.upper(), type=kind, action="append", help=text
        )
    parser.add_argument("--sample", metavar="SHARE", type=float, help="take this share of records")
    parser.add_argument("--limit", metavar="N", type=int, help="records (or files) at most")
    parser.add_argument("--base-url", metavar="URL", help="where the files are: https:// or s3://")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    """OUT/warc holds the records, OUT/_records says where each came from; with --paths, OUT is the
    landing folder."""
    from etl.commoncrawl import download_segments, fetch_records
    from orchestration.cli.output import progress, quiet_session, require_input
    from schemas.errors import InputError

    config = ranges(args)
    selection = chosen(args) if args.index else None
    if args.paths:
        _require_list(args)
    require_input(args.index or args.paths)
    if Path(args.output).is_file():
        raise InputError(f"{args.output}: is a file; name a folder")
    progress("starting Spark")
    spark = quiet_session(args.debug, args.index or "")
    progress(f"commoncrawl {args.index or args.paths} from {config.base_url}")
    if selection is None:
        report = download_segments(spark, args.paths, args.output, config, args.limit or 0)
    else:
        report = fetch_records(spark, args.index, args.output, selection, config)
    progress(
        f"in {report.rows_in}, kept {report.kept}, rejected {sum(report.rejected.values())}, "
        f"quarantined {report.quarantined}, {report.seconds:.1f} s -> {args.output}"
    )
    return report


def _require_list(args: argparse.Namespace) -> None:
    from schemas.errors import InputError

    given = [option for option in (*_CONDITIONS, "sample") if getattr(args, option)]
    if given:
        raise InputError(f"--{given[0]} chooses from an index; with --paths, leave it out")
    if (args.limit or 0) < 0:
        raise InputError(f"--limit is {args.limit}; it must be at least 1")


def ranges(args: argparse.Namespace) -> RangeConfig:
    """The profile's settings, with the address and the name that the command line gives."""
    from orchestration.profile import load_profile
    from schemas.errors import InputError

    profile = load_profile()
    crawl, config = profile.crawl.config, profile.commoncrawl
    changes: dict[str, Any] = {"base_url": args.base_url} if args.base_url else {}
    changes["s3"] = profile.s3
    if crawl.contact:
        changes["user_agent"] = crawl.header  # one operator, one name
    try:
        return dataclasses.replace(config, **changes)
    except ValueError as error:
        raise InputError(f"--base-url: {error}") from None


def chosen(args: argparse.Namespace) -> Selection:
    """The selection that the options state."""
    from etl.commoncrawl import Selection
    from schemas.errors import InputError

    stated = {name: getattr(args, option) for option, (name, _) in _CONDITIONS.items()}
    given: dict[str, Any] = {name: tuple(values) for name, values in stated.items() if values}
    numbers = {name: getattr(args, name) for name in ("sample", "limit")}
    given |= {name: value for name, value in numbers.items() if value is not None}
    try:
        return Selection(**given)
    except ValueError as error:
        raise InputError(f"commoncrawl: {error}; see foundry commoncrawl --help") from None
