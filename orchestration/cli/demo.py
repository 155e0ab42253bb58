"""`foundry demo`: the whole graph on the sample site, two days of it, scored against the truth."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from orchestration.profile import Profile
    from schemas.report import JobReport


def add_verbs(verbs: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "demo", parents=[common], help="the main job on the sample site; says where to look"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> JobReport:
    """Two days into the corpus, then tokens and a training run. Run again, it changes nothing."""
    from etl.tables.store import Store
    from orchestration.cli.output import progress, quiet_session
    from orchestration.instance import dagster_home, fail_interrupted_runs, open_instance
    from orchestration.profile import load_profile, profile_file
    from orchestration.scoring import score_demo
    from schemas.errors import InputError
    from schemas.report import JobReport

    started = time.monotonic()
    profile = load_profile()
    if not profile.sample_site.enabled:
        raise InputError(
            f"{profile_file()}: sample_site.enabled is false; the demo runs on the sample site: "
            "set it to true, or unset TOKENFOUNDRY_PROFILE"
        )
    os.environ["DAGSTER_HOME"] = str(dagster_home(profile))
    progress("starting Spark")
    store = Store(quiet_session(args.debug, profile.store_root), profile.store_root)
    first = profile.snapshots.start
    days = [first.isoformat(), (first + timedelta(days=1)).isoformat()]
    with open_instance(profile) as instance:
        fail_interrupted_runs(instance)
        for day in days:
            _run_job(instance, "ingest", day)
        _run_job(instance, "train")
    progress("scoring against what the sample site knows of itself")
    scores = score_demo(store, profile, days)
    for line in scores.lines():
        print(line, file=sys.stderr)
    report = JobReport(verb="demo", **scores.counts(), outputs=_outputs(profile))
    report.seconds = time.monotonic() - started
    report.extra = {"scores": scores.as_dict()}
    args.exit_status = 0 if scores.accepted else 1
    if not args.json:
        print(_closing(profile, report.seconds))
    return report


def _run_job(instance: DagsterInstance, job: str, snapshot: str | None = None) -> None:
    """Runs a job (of a snapshot) in this process, on the instance that the UI shows."""
    from orchestration.cli.output import progress
    from orchestration.definitions import defs
    from orchestration.partitions import SNAPSHOTS
    from schemas.errors import StepError

    name = f"job {job} of snapshot {snapshot}" if snapshot else f"job {job}"
    progress(name)
    if snapshot:
        instance.add_dynamic_partitions(str(SNAPSHOTS.name), [snapshot])
    outcome = (
        defs()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            partition_key=snapshot,
            run_config={"loggers": {"progress": {}}},
            raise_on_error=False,
        )
    )
    if not outcome.success:
        raise StepError(
            f"{name} failed (run {outcome.run_id}, see above or "
            "`foundry ui`); run the same command again to go on"
        )


def _outputs(profile: Profile) -> dict[str, str]:
    home = profile.home_path
    return {
        "store": profile.store_root,
        "warc": profile.warc_root,
        "tokens": str(home / "tokens"),
        "runs": str(home / "runs"),
        "data_docs": str(profile.docs_root),
        "dagster": str(home / "dagster"),
    }


def _closing(profile: Profile, seconds: float) -> str:
    paths = _outputs(profile)
    return f"""
Done in {seconds:.0f} s. Where to look:
  make ui (or: foundry ui)      the graph, every materialisation with its plots, the checks
  {paths["store"]}      the Delta tables: documents, filtered, rejected, clusters, corpus...
  {paths["warc"]}       the crawled bytes, WARC/1.1
  {paths["tokens"]}     Megatron .bin/.idx, documents tables, manifests
  {paths["runs"]}       the training run: metrics, checkpoint, what each step has read
What to do next:
  foundry doctor                what this machine has, what it lacks
  foundry --help                each step alone, on your own files
  deploy/profiles/              local.yaml: put your seeds in; cluster.yaml: Spark, S3, Slurm"""
