"""What the demo leaves behind, held against what the sample site knows about itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from pyspark.sql import SparkSession

from etl.tables.store import Store
from orchestration.checks import build_checks
from schemas.manifest import IndexedDatasetManifest
from schemas.tables import CORPUS, DOCUMENTS, FETCHES
from tests.acceptance.conftest import Deployment

pytestmark = pytest.mark.spark
Demo = tuple[Deployment, dict]


@pytest.fixture
def lake(demo: Demo, spark: SparkSession) -> Store:
    return Store(spark, str(demo[0].home / "store"))


def datasets(home: Path) -> dict[str, IndexedDatasetManifest]:
    """Every indexed dataset of the demo, by its prefix."""
    return {
        str(path).removesuffix(".manifest.json"): IndexedDatasetManifest.read(path)
        for path in sorted((home / "tokens").rglob("*.manifest.json"))
        if path.name != "tokenizer.manifest.json"
    }


def test_every_score_holds(demo: Demo) -> None:
    _, report = demo
    missed = {name: score for name, score in report["scores"].items() if not score["holds"]}
    assert not missed
    assert len(report["scores"]) >= 9


def test_every_page_is_in_exactly_one_place(demo: Demo) -> None:
    _, report = demo
    assert report["in"] > 0
    assert report["in"] == report["kept"] + sum(report["rejected"].values()) + report["quarantined"]


def test_the_second_snapshot_touches_only_what_changed(lake: Store) -> None:
    first, second = (
        lake.read(FETCHES).where(f"snapshot = '{day}' AND verdict = 'fetched'")
        for day in ("2026-01-01", "2026-01-02")
    )
    fetched = second.count()
    assert 0 < fetched < first.count() / 4
    assert lake.read(DOCUMENTS).where("snapshot = '2026-01-02'").count() <= fetched
    merges = [e for e in lake.history(CORPUS, 50) if e["operation"] == "MERGE"]
    assert len(merges) == 2
    metrics = merges[0]["operationMetrics"]
    written = int(metrics["numTargetRowsInserted"]) + int(metrics["numTargetRowsUpdated"])
    assert 0 < written <= fetched
    unchanged = lake.read(CORPUS).where("snapshot = '2026-01-01'").count()
    assert unchanged > 3 * written


def test_tokens_open_in_megatron_and_decode_to_their_documents(demo: Demo, lake: Store) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset
    from tokenizers import Tokenizer

    home = demo[0].home
    (vocabulary,) = home.rglob("tokenizer.json")
    decode = Tokenizer.from_file(str(vocabulary)).decode
    seen: set[str] = set()
    for prefix, manifest in datasets(home).items():
        # The manifest names the version of the table that it was made from.
        rows = lake.read(CORPUS, version=manifest.sources[CORPUS.name]).collect()
        texts = {row["doc_id"]: (row["text"], row["url"]) for row in rows}
        for shard in manifest.shards:
            path = str(Path(prefix).with_name(shard.name))
            tokens = IndexedDataset(path)
            documents = pq.read_table(f"{path}.docs.parquet").to_pylist()
            assert len(documents) == shard.documents == len(tokens)
            for index, document in enumerate(documents):
                ids = np.asarray(tokens[index])
                assert ids[-1] == manifest.end_of_document
                text, url = texts[document["doc_id"]]
                assert decode(ids[:-1].tolist(), skip_special_tokens=False) == text
                assert document["url"] == url
                seen.add(document["doc_id"])
    assert len(seen) > 50


def test_the_model_beats_the_unigram_entropy(demo: Demo) -> None:
    (result,) = (demo[0].home / "runs").rglob("result.json")
    outcome = json.loads(result.read_text())
    assert outcome["validation_loss"] < outcome["unigram_entropy"]


def test_dagster_has_the_runs_the_plots_and_green_checks(demo: Demo) -> None:
    with DagsterInstance.from_config(str(demo[0].home / "dagster")) as instance:
        assert {run.status for run in instance.get_runs()} == {DagsterRunStatus.SUCCESS}
        for name, plot in (("corpus", "funnel"), ("training_run", "loss")):
            event = instance.get_latest_materialization_event(AssetKey(name))
            assert event is not None
            assert event.asset_materialization is not None
            shown = event.asset_materialization.metadata
            assert any(plot in key and "data:image/png" in str(v.value) for key, v in shown.items())
        keys = [key for check in build_checks({}) for key in check.check_keys]
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        assert latest.keys() == set(keys)
        statuses = {record.status for record in latest.values()}
        assert statuses == {AssetCheckExecutionRecordStatus.SUCCEEDED}


def test_the_command_line_verifies_what_the_demo_wrote(demo: Demo) -> None:
    place, _ = demo
    for prefix in datasets(place.home):
        done = place.foundry("verify", prefix, "--json")
        assert done.returncode == 0, done.stderr
