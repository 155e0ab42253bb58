"""`foundry ui`: the Dagster UI, with schedules and sensors running, on the profile's own runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "ui", parents=[common], help="the Dagster UI with schedules and sensors running"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="port (%(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Becomes `dagster dev` on the instance in which `foundry demo` recorded its runs."""
    from orchestration.cli.output import progress
    from orchestration.instance import dagster_home
    from orchestration.profile import load_profile, profile_file

    profile = load_profile()
    os.environ["DAGSTER_HOME"] = str(dagster_home(profile))
    os.environ["TOKENFOUNDRY_PROFILE"] = str(profile_file())
    progress(f"profile {profile.name}, runs in {os.environ['DAGSTER_HOME']}")
    progress(f"open http://{args.host}:{args.port} (Ctrl-C stops it)")
    dagster = Path(sys.executable).with_name("dagster")
    os.execv(  # noqa: S606 (no shell: a fixed program with fixed arguments)
        dagster,
        [
            *("dagster", "dev", "-m", "orchestration.definitions"),
            *("--host", args.host, "--port", str(args.port)),
        ],
    )
