"""The check of a source counts again, and notices what is not as the run said."""

from __future__ import annotations

import os

import dagster as dg

from orchestration.assets.sources import source_asset
from orchestration.checks.sources import counts_reconcile
from orchestration.resources import StoreResource
from orchestration.sources.batches import landed_files, next_batch, record_batch
from orchestration.sources.config import FilesSource, load_sources
from tests.orchestration.conftest import MakeProfile


def test_what_is_there_is_counted_again(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    profile = make_profile()
    source = load_sources(profile)["landing"]
    assert isinstance(source, FilesSource)
    profile.landing.mkdir(parents=True)
    for name in ("a", "b"):
        (profile.landing / name).write_text("x")
        os.utime(profile.landing / name, (1_700_000_000, 1_700_000_000))
    batch = next_batch(source, list(landed_files(source, profile.s3)), frozenset())
    assert batch is not None
    partition = record_batch(profile.source_folder("landing"), batch)

    check = counts_reconcile(source)
    loaded = dg.Definitions(
        assets=[source_asset(source)],
        asset_checks=[check],
        jobs=[dg.define_asset_job("check", dg.AssetSelection.checks(check))],
        resources={"foundry": StoreResource()},
        executor=dg.in_process_executor,
    )

    def passed(**told: int) -> bool:
        said = {"rows_in": 2, "kept": 2, "rejected": 0, "quarantined": 0} | told
        instance.report_runless_asset_event(
            dg.AssetMaterialization(["sources", "landing"], partition=partition, metadata=said)
        )
        done = loaded.resolve_job_def("check").execute_in_process(instance=instance)
        (evaluation,) = done.get_asset_check_evaluations()
        return evaluation.passed

    assert passed()
    assert not passed(kept=1)
    assert not passed(rows_in=3, kept=3)
    (profile.landing / "b").write_text("another")
    assert not passed()
    assert passed(kept=1, rejected=1)
