"""The sensors: landed files, arrivals of sources, runs whose process died."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.instance import PROCESS_TAG, fail_interrupted_runs, process_identity
from orchestration.jobs import source_job
from orchestration.profile import Profile
from orchestration.resources import StoreResource
from orchestration.sensors import arrivals_sensor, arrived_snapshots, files_sensor
from orchestration.sources.batches import read_batch
from orchestration.sources.config import FilesSource, load_sources
from orchestration.sources.naming import snapshot_of
from orchestration.sources.waiting import waiting
from tests.orchestration.conftest import MakeProfile

WEB = {"name": "news", "kind": "web", "seeds": ["https://www.example.org/"]}
CHOSEN = {"crawls": ["CC-MAIN-2024-22"]}
CC = {"name": "cc-german", "kind": "commoncrawl", "index": "i", "selection": CHOSEN}
NOW = datetime(2026, 1, 9, 9, 31, tzinfo=UTC)


def materialised(instance: dg.DagsterInstance, key: list[str], partition: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(dg.AssetKey(key), partition=partition)
    )


class Landing:
    """The built-in source with its sensor, evaluated tick by tick as the daemon does."""

    def __init__(self, profile: Profile, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance, self.cursor = profile.landing, instance, ""
        self.sources = load_sources(profile)
        landing = self.sources["landing"]
        assert isinstance(landing, FilesSource)
        self.sensor = files_sensor(landing, source_job(landing))

    def put(self, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text('{"text": "x"}\n')
        os.utime(self.folder / name, (1_700_000_000, 1_700_000_000))

    def tick(self) -> tuple[list[str], str]:
        """The partitions asked for, and why none."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"foundry": StoreResource()}
        )
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor or self.cursor
        asked = [str(request.partition_key) for request in result.run_requests or []]
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(
                request.partitions_def_name, list(request.partition_keys)
            )
        reason = result.skip_reason
        return asked, (reason.skip_message or "") if isinstance(reason, dg.SkipReason) else ""


def test_new_files_are_asked_for_once(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    landing = Landing(make_profile(), instance)
    assert landing.tick()[1].startswith("nothing new in")
    landing.put("a.jsonl")
    [partition], _ = landing.tick()
    assert partition.startswith("2023-11-14-")
    assert landing.tick()[0] == []


def test_files_wait_while_the_corpus_is_behind_and_none_is_lost(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    landing = Landing(make_profile(), instance)
    asked = []
    for name in ("a.jsonl", "b.jsonl"):  # max_waiting is 2
        landing.put(name)
        [partition], _ = landing.tick()
        materialised(instance, ["sources", "landing"], partition)
        asked.append(partition)
    landing.put("c.jsonl")
    landing.put("d.jsonl")
    for _ in range(3):
        partitions, reason = landing.tick()
        assert partitions == []
        assert "landing: 2 snapshots wait (2 arrived" in reason
        assert "max_waiting is 2" in reason
    materialised(instance, ["corpus"], snapshot_of("landing", asked[0]))
    [partition], _ = landing.tick()
    batch = read_batch(landing.folder.parent / "sources" / "landing", partition)
    assert [Path(file.path).name for file in batch.files] == ["c.jsonl", "d.jsonl"]
    assert landing.tick()[0] == []


def test_an_arrival_is_asked_for_once(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    sources = load_sources(make_profile(WEB, CC))
    assert arrived_snapshots(instance, sources, NOW) == {}
    materialised(instance, ["sources", "cc_german"], "2026-01-02")
    materialised(instance, ["sources", "news"], "2026-01-03T0430")
    materialised(instance, ["sources", "landing"], "2026-01-03-3f2a90c1")
    found = arrived_snapshots(instance, sources, NOW)
    assert list(found) == list(found.values()) == [
        "2026-01-02.cc-german", "2026-01-03.landing-3f2a90c1", "2026-01-03T0430.news",
    ]  # fmt: skip
    # Killed after the partitions were added and before a run was: asked for again, by the same key.
    instance.add_dynamic_partitions("snapshot", list(found.values()))
    assert arrived_snapshots(instance, sources, NOW) == found
    first, second, third = found.values()
    instance.create_run_for_job(_job_named("landing"), tags={"dagster/partition": first})
    materialised(instance, ["corpus"], second)
    assert arrived_snapshots(instance, sources, NOW) == {third: third}
    materialised(instance, ["sources", "news"], "2026-01-03T0430")  # by hand, again
    materialised(instance, ["corpus"], third)
    assert arrived_snapshots(instance, sources, NOW) == {}


def test_what_arrives_out_of_turn_gets_a_later_name(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    sources = load_sources(make_profile(WEB, CC))
    instance.add_dynamic_partitions("snapshot", ["2026-01-05"])
    materialised(instance, ["sources", "cc_german"], "2026-01-02")
    materialised(instance, ["sources", "landing"], "2023-11-14-3f2a90c1")
    materialised(instance, ["sources", "news"], "2026-01-04")
    found = arrived_snapshots(instance, sources, NOW)
    assert next(iter(found)) == "2026-01-04.news"  # the others' names come after it
    assert found == {
        "2023-11-14.landing-3f2a90c1": "2026-01-09T0931.landing-3f2a90c1.2023-11-14",
        "2026-01-02.cc-german": "2026-01-09T0932.cc-german.2026-01-02",
        "2026-01-04.news": "2026-01-04.news",  # written in its rows already
    }
    instance.add_dynamic_partitions("snapshot", list(found.values()))
    assert arrived_snapshots(instance, sources, NOW + timedelta(hours=1)) == found
    materialised(instance, ["corpus"], "2026-01-09T0932.cc-german.2026-01-02")
    assert waiting(instance, sources["cc-german"]).arrived == ()
    assert waiting(instance, sources["news"]).arrived == ("2026-01-04",)


def test_the_arrivals_sensor_asks_for_the_landing_job(
    make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    sensor = arrivals_sensor(load_sources(make_profile(CC)))
    result = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SensorResult)
    assert not result.run_requests
    materialised(instance, ["sources", "cc_german"], "2026-01-02")
    result = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SensorResult)
    [request] = result.run_requests or []
    assert (request.run_key, request.partition_key) == ("2026-01-02.cc-german",) * 2
    [added] = result.dynamic_partitions_requests or []
    assert (added.partitions_def_name, list(added.partition_keys)) == (
        "snapshot", ["2026-01-02.cc-german"],
    )  # fmt: skip


def test_only_runs_of_dead_processes_are_failed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = process_identity(process.pid)
        process.communicate(b"\n")
    alive = process_identity(os.getpid())
    assert dead is not None
    assert alive is not None
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {
            name: instance.create_run_for_job(_job, status=dg.DagsterRunStatus.STARTED, tags=tags)
            for name, tags in {
                "dead": {PROCESS_TAG: dead},
                "alive": {PROCESS_TAG: alive},
                "elsewhere": {PROCESS_TAG: "other-host:1@1"},
                "untagged": {},
            }.items()
        }
        assert fail_interrupted_runs(instance) == [runs["dead"].run_id]
        assert fail_interrupted_runs(instance) == []


def _job_named(name: str) -> dg.JobDefinition:
    @dg.job(name=name)
    def named() -> None:
        _nothing()

    return named


@dg.op
def _nothing() -> None:
    pass


@dg.job
def _job() -> None:
    _nothing()
