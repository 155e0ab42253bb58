"""`foundry train RECIPE`: the training run of the asset, without Dagster."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.report import JobReport


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("train", parents=[common], help="the training run")
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, e.g. tiny_moe")
    parser.add_argument(
        "--launcher", choices=("local", "slurm"), help="default: the profile's training.launcher"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    raise NotImplementedError
