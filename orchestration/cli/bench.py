"""`foundry bench NAME`: the benchmarks of the source checkout, beside their peers."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "bench", parents=[common], help="a benchmark, side by side with its peers"
    )
    parser.add_argument("name", metavar="NAME", help="a file of tests/benchmarks, without .py")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="OPTION", help="passed on to the benchmark"
    )
    parser.set_defaults(run=run)


def benchmark_folder() -> Path:
    return Path(__file__).resolve().parents[2] / "tests" / "benchmarks"


def run(args: argparse.Namespace) -> None:
    """Runs tests/benchmarks/NAME.py as a program of its own."""
    from schemas.errors import InputError

    folder = benchmark_folder()
    if not folder.is_dir():
        raise InputError(f"{folder}: absent; benchmarks run from a source checkout: clone it")
    known = sorted(path.stem for path in folder.glob("*.py") if not path.name.startswith("_"))
    if args.name not in known:
        raise InputError(f"no benchmark {args.name!r}; choose one of: {', '.join(known) or 'none'}")
    script = folder / f"{args.name}.py"
    saved = sys.argv
    options = args.options[args.options[:1] == ["--"] :]
    sys.argv = [str(script), *(["--json"] if args.json else []), *options]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as done:
        if done.code not in (None, 0):
            raise
    finally:
        sys.argv = saved
