"""The training asset on a real Slurm, materialised by Dagster's own command as a user would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.training.conftest import SMALL, DatasetMaker
from training.launch.slurm.local_cluster import SlurmCluster, can_limit_memory

if TYPE_CHECKING:
    from dagster import DagsterInstance, EventLogEntry

pytestmark = pytest.mark.slurm


@dataclass(frozen=True)
class Graph:
    """A deployment that holds a blend, and trains on it with Slurm."""

    folder: Path
    cluster: SlurmCluster

    def start(self) -> subprocess.Popen[str]:
        command = [
            sys.executable, "-m", "dagster", "asset", "materialize",
            "-m", "orchestration.definitions", "--select", "training_run",
        ]  # fmt: skip
        environment = os.environ | {
            "TOKENFOUNDRY_PROFILE": str(self.folder / "profile.yaml"),
            "DAGSTER_HOME": str(self.folder / "dagster"),
        }
        with (self.folder / "dagster.log").open("a") as log:
            return subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip

    def materialise(self) -> tuple[int, str]:
        """The exit status of the command, and what the run's failed step said."""
        status = self.start().wait(timeout=300)
        with self._instance() as instance:
            run = instance.get_runs(limit=1)[0]
            failures = [
                event.dagster_event.step_failure_data
                for event in instance.all_logs(run.run_id)
                if event.dagster_event and event.dagster_event.is_step_failure
            ]
        said = " ".join(
            str(failure.error.to_string()) for failure in failures if failure.error is not None
        )
        return status, said

    def events(self, kind: str) -> list[EventLogEntry]:
        from dagster import AssetKey

        key = AssetKey("training_run")
        with self._instance() as instance:
            if kind == "observations":
                return list(instance.fetch_observations(key, limit=100).records)  # type: ignore[arg-type]
            return list(instance.fetch_materializations(key, limit=100).records)  # type: ignore[arg-type]

    def jobs(self, states: str = "all") -> list[str]:
        """Ids of this deployment's jobs: Slurm knows each run by its name."""
        runs = (self.folder / "runs").glob("*-*")
        names = ",".join(f"foundry-{path.name}" for path in runs) or "none"
        listed = self.cluster.client(
            "squeue", "--noheader", f"--states={states}", f"--name={names}", "--format=%i"
        )
        return listed.split()

    def _instance(self) -> DagsterInstance:
        from dagster import DagsterInstance

        return DagsterInstance.from_config(str(self.folder / "dagster"))


MakeGraph = Callable[..., Graph]


@pytest.fixture
def graph(cluster: SlurmCluster, tmp_path: Path) -> Iterator[MakeGraph]:
    made: list[Graph] = []

    def make(overrides: dict[str, Any] | None = None, **slurm: Any) -> Graph:
        maker = DatasetMaker(tmp_path)
        maker.dataset("text", [maker.markov(1, 120)])
        maker.blend({"text": 1.0})
        training = {
            "recipe": "tiny_moe", "launcher": "slurm", "poll_seconds": 0.3,
            "slurm": slurm, "overrides": SMALL | (overrides or {}),
        }  # fmt: skip
        profile = {"name": "slurm-test", "home": str(tmp_path), "training": training}
        (tmp_path / "profile.yaml").write_text(yaml.safe_dump(profile))
        (tmp_path / "dagster").mkdir()
        (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        made.append(Graph(tmp_path, cluster))
        return made[-1]

    yield make
    for one in made:
        for job in one.jobs("pending,running"):
            cluster.client("scancel", "--signal=KILL", job)


def until(what: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def test_a_killed_dagster_attaches_again_and_submits_nothing(graph: MakeGraph) -> None:
    place = graph({"loop.steps": 400, "loop.log_interval": 1})
    first = place.start()
    metrics = place.folder / "runs"
    until(lambda: any(path.stat().st_size for path in metrics.glob("*/metrics.jsonl")))
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    running = place.jobs("running")
    assert len(running) == 1, "the job goes on without Dagster"
    status, said = place.materialise()
    assert status == 0, said
    assert place.jobs() == running
    (record,) = place.events("materializations")
    shown = record.asset_materialization.metadata
    assert "loss_curve" in shown
    watched = {observation.run_id for observation in place.events("observations")}
    assert record.run_id in watched, "the second run saw losses as they came"
    # Asked once more, the finished run is read back, not trained again.
    assert place.materialise()[0] == 0
    assert place.jobs() == running


def test_a_failing_job_says_why(graph: MakeGraph) -> None:
    status, said = graph(setup=["echo no such shard >&2", "exit 7"]).materialise()
    assert status != 0
    assert "ended as FAILED" in said
    assert "exit code 7" in said
    assert "no such shard" in said


def test_a_job_out_of_memory_says_how_much_it_had(graph: MakeGraph) -> None:
    if not can_limit_memory():
        pytest.skip("the memory cgroup of this machine cannot be written: no limit to exceed")
    hog = f"{sys.executable} -c 'import time; held = bytearray(400 << 20); time.sleep(20)'"
    status, said = graph(memory="100M", setup=[hog]).materialise()
    assert status != 0
    assert "ended as OUT_OF_MEMORY" in said
    assert "it asked for 100M" in said


def test_a_cancelled_job_says_so(graph: MakeGraph) -> None:
    place = graph(setup=["sleep 120"])
    dagster = place.start()
    until(lambda: bool(place.jobs("running")))
    place.cluster.client("scancel", *place.jobs("running"))
    assert dagster.wait(timeout=120) != 0
    assert "ended as CANCELLED" in (place.folder / "dagster.log").read_text()


@pytest.mark.drill
def test_a_job_over_its_time_limit_says_so(graph: MakeGraph) -> None:
    place = graph(time_limit="00:01:00", warn_seconds=0, requeue=False, setup=["sleep 300"])
    status, said = place.materialise()
    assert status != 0
    assert "ended as TIMEOUT" in said
    assert "raise slurm.time_limit" in said
