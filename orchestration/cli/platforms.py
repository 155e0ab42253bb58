"""`foundry platforms`: video and audio from channels, playlists, pages and search."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.platforms.config import PlatformConfig
    from etl.platforms.row import Task
    from schemas.report import JobReport


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "platforms",
        parents=[common],
        help="licensed video and audio from channels, playlists, pages",
        description="The licence decides before any media are requested; robots.txt is obeyed.",
    )
    parser.add_argument("urls", metavar="URL", nargs="*", help="a channel, a playlist or a page")
    parser.add_argument("output", metavar="OUT", help="a folder; a second run goes on from it")
    parser.add_argument("--list", metavar="FILE", help="one URL a line")
    parser.add_argument(
        "--search", metavar="TERM", help="Creative Commons videos by the YouTube Data API"
    )
    parser.add_argument("--max-items", metavar="N", type=int, help="items decided at most")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    """OUT/media holds the files, OUT/store the table."""
    from etl.platforms import collect_media
    from etl.tables.store import Store
    from orchestration.cli.output import progress, quiet_session
    from orchestration.profile import load_profile
    from schemas.errors import InputError

    profile = load_profile()
    config = profile.platforms_config
    if args.max_items is not None:
        if args.max_items < 1:
            raise InputError(f"--max-items is {args.max_items}; it must be at least 1")
        config = dataclasses.replace(config, max_items=args.max_items)
    out = Path(args.output).absolute()
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder for the media")
    tasks, spent = _tasks(args, config)
    out.mkdir(parents=True, exist_ok=True)
    progress("starting Spark")
    store = Store(quiet_session(args.debug), str(out / "store"))
    progress(f"{len(tasks)} URLs")
    report = collect_media(store, str(out / "media"), tasks, profile.source, config)
    report.extra |= spent
    return report


def _tasks(
    args: argparse.Namespace, config: PlatformConfig
) -> tuple[list[str | Task], dict[str, int | bool]]:
    from etl.platforms import search_videos
    from orchestration.cli.crawl import read_seeds
    from orchestration.cli.output import progress
    from schemas.errors import InputError

    tasks: list[str | Task] = list(args.urls)
    if args.list:
        tasks += read_seeds(args.list)
    spent: dict[str, int | bool] = {}
    if args.search:
        found = search_videos(args.search, config, config.max_items)
        tasks += found.tasks
        spent = {"quota_units": found.units, "search_cut": found.cut}
        progress(f"search found {len(found.tasks)} videos for {found.units} units")
        if not found.tasks:
            raise InputError(f"--search {args.search!r} found no Creative Commons video")
    if not tasks:
        raise InputError("no URL; give one, or --list FILE, or --search TERM")
    return tasks, spent
