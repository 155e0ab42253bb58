"""The console script `foundry`: parses, calls one verb, prints its report, turns errors to a line.

Nothing heavy is imported until a verb runs, so that `foundry --help` answers at once. Exit status:
0 done, 2 bad usage or bad input (nothing written), 1 failed part-way (running again resumes).
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.cli import (
    bench,
    commoncrawl,
    crawl,
    demo,
    doctor,
    platforms,
    text,
    tokens,
    train,
    ui,
)  # fmt: skip

if TYPE_CHECKING:
    from schemas.report import JobReport

_GROUPS = (doctor, demo, ui, crawl, commoncrawl, platforms, text, tokens, train, bench)
_FULL_DISK = "no space left on device; free some space and run the same command again"


def build_parser() -> argparse.ArgumentParser:
    """The parser of every verb. Each verb module adds its own."""
    from schemas import __version__

    parser = argparse.ArgumentParser(
        prog="foundry",
        description="From a URL to a training step, and back.",
        epilog="TOKENFOUNDRY_PROFILE names the profile (a file, or a name in deploy/profiles); "
        "default: local.",
    )
    parser.add_argument("--version", action="version", version=f"token-foundry {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print a JSON report as the last line")
    common.add_argument("--debug", action="store_true", help="show tracebacks and Spark's log")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for group in _GROUPS:
        group.add_verbs(verbs, common)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status. Bad usage ends in `SystemExit(2)`, as argparse's."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if args.debug else logging.ERROR, format="%(levelname)s %(message)s"
    )
    if not args.debug:
        # PySpark logs, as JSON with the JVM's stack, every error that it raises as well.
        logging.getLogger("DataFrameQueryContextLogger").disabled = True
    try:
        # A verb that ends well but has bad news (a damaged file) sets `args.exit_status`.
        report: JobReport | None = args.run(args)
        if report is not None and args.json:
            print(report.to_json(), flush=True)
    except BrokenPipeError:
        # The reader of our output went away (`foundry ... | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("foundry: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        print(f"foundry: error: {describe(error)}", file=sys.stderr)
        return int(getattr(error, "exit_status", 1))
    return int(getattr(args, "exit_status", 0))


def describe(error: BaseException) -> str:
    """One line for a user: the cause and what to do."""
    from schemas.errors import FoundryError

    if _is_full_disk(error):
        return _FULL_DISK
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, FoundryError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {os.strerror(error.errno) if error.errno else first_line}"
    return f"{type(error).__name__}: {first_line}; --debug shows where"


def _is_full_disk(error: BaseException | None) -> bool:
    """True when a full disk is the cause, here, in a Spark worker or in the JVM."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    sys.exit(main())
