"""`foundry train RECIPE`: the training run of the asset, without Dagster."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

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
    """Trains RECIPE on the profile's blend; a run that was interrupted goes on where it was."""
    from orchestration.cli.output import progress
    from orchestration.profile import load_profile
    from orchestration.resources import StoreResource
    from orchestration.training_runs import follow, outcome_of, prepare
    from schemas.report import JobReport

    started = time.monotonic()
    profile, foundry = load_profile(), StoreResource()
    folder = prepare(profile, foundry.blend_file(), foundry.runs_folder(), args.recipe)
    progress(f"{folder.path}")
    follow(folder, profile, _tell, args.launcher)
    outcome = outcome_of(folder)
    steps = int(outcome.result["iteration"])
    report = JobReport(verb="train", rows_in=steps, kept=steps)
    report.outputs = {"run": str(folder.path), "metrics": str(folder.metrics_path)}
    report.seconds = time.monotonic() - started
    report.extra = dict(outcome.result) | {"attempts": len(folder.attempts())}
    progress(
        f"held-out loss {outcome.validation_loss:.3f}, unigram entropy {outcome.entropy:.3f}, "
        f"{report.seconds:.1f} s"
    )
    return report


def _tell(rows: list[dict[str, Any]]) -> None:
    from orchestration.cli.output import progress

    last = rows[-1]
    measured = [row for row in rows if row.get("validation_loss") is not None]
    held_out = f", held out {measured[-1]['validation_loss']:.3f}" if measured else ""
    progress(f"step {last['iteration']}: loss {last['loss']:.3f}{held_out}")
