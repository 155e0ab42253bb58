"""The code location: it loads, quickly and alone, and the graph has the shape written here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import defs

# asset | partitions | what it is made from | checks
GRAPH = """
sources/landing | source_landing | -              | counts_reconcile
crawl         | snapshot | -                      | great_expectations, no_duplicate_keys
documents     | snapshot | crawl, sources/landing | every_page_accounted, great_expectations, no_duplicate_keys
ledger        | snapshot | documents              | every_document_decided, great_expectations, no_duplicate_keys
filtered      | snapshot | documents, ledger      | counts_reconcile, great_expectations, no_duplicate_keys
rejected      | snapshot | documents, ledger      | great_expectations, no_duplicate_keys
deduplicated  | snapshot | filtered               | counts_reconcile, great_expectations, no_duplicate_keys
clusters      | snapshot | filtered               | great_expectations, no_duplicate_keys
corpus        | snapshot | clusters, deduplicated | great_expectations, language_and_licence_known, licence_allowed, no_duplicate_keys
findings      | snapshot | deduplicated           | great_expectations, no_duplicate_keys
tokenizer     | -        | corpus                 | tokenizer_checksum
text_tokens   | -        | corpus, tokenizer      | every_document_tokenized, manifest_checksums
blend         | -        | text_tokens            | one_vocabulary
training_run  | -        | blend                  | beats_unigram_entropy
"""  # noqa: E501


def _rows(text: str) -> set[tuple[str, ...]]:
    lines = [line for line in text.splitlines() if line.strip()]
    return {tuple(part.strip() for part in line.split("|")) for line in lines}


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return defs()


def test_the_graph_has_this_shape(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    found = set()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        parents = sorted(parent.to_user_string() for parent in node.parent_keys)
        checks = sorted(c.name for c in graph.asset_check_keys if c.asset_key == key)
        partitions = getattr(node.partitions_def, "name", None) or "-"
        name = key.to_user_string()
        found.add((name, partitions, ", ".join(parents) or "-", ", ".join(checks)))
    assert found == _rows(GRAPH)


def test_jobs_schedules_sensors(loaded: dg.Definitions) -> None:
    jobs = {name: loaded.resolve_job_def(name) for name in ("ingest", "landing", "train", "full")}
    assert set(jobs["full"].graph.node_dict) >= {"crawl", "training_run"}
    assert "crawl" not in jobs["landing"].graph.node_dict
    assert "tokenizer" not in jobs["ingest"].graph.node_dict
    assert "crawl" not in jobs["train"].graph.node_dict
    repository = loaded.get_repository_def()
    assert repository.has_schedule_def("incremental_crawl")
    assert {s.name for s in repository.sensor_defs} == {
        "landing_files", "arrivals", "interrupted_runs",
    }  # fmt: skip
    assert set(loaded.resolve_job_def("source_landing").graph.node_dict) >= {"acquire_landing"}
    for name in ("ingest", "landing", "full"):  # the demo's jobs cost what they did
        assert "acquire_landing" not in jobs[name].graph.node_dict


def test_every_table_asset_shows_its_schema(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    for name in ("crawl", "documents", "ledger", "filtered", "rejected", "deduplicated", "corpus"):
        metadata = graph.get(dg.AssetKey(name)).metadata
        assert "dagster/column_schema" in metadata, name


def test_the_schedule_adds_its_partition(loaded: dg.Definitions) -> None:
    from datetime import UTC, datetime

    with dg.DagsterInstance.local_temp() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=loaded.get_repository_def(),
            scheduled_execution_time=datetime(2026, 3, 4, 3, tzinfo=UTC),
        )
        repository = loaded.get_repository_def()
        schedule = repository.get_schedule_def("incremental_crawl")
        requests = schedule.evaluate_tick(context).run_requests
        assert [request.partition_key for request in requests or []] == ["2026-03-04"]
        assert instance.get_dynamic_partitions("snapshot") == ["2026-03-04"]


def test_dagster_validates_the_definitions(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("dagster"),
            *("definitions", "validate", "-m", "orchestration.definitions"),
        ],
        env=os.environ | {"DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "validation successful" in (done.stdout + done.stderr).lower()


def test_loading_starts_nothing_heavy() -> None:
    code = (
        "import sys; from orchestration.definitions import defs; defs();"
        "print([m for m in ('pyspark', 'torch', 'scrapy', 'presidio_analyzer', 'matplotlib',"
        " 'great_expectations', 'trafilatura') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
