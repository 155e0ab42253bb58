"""Schedules of sources: spread over the jitter, waiting for the corpus, asking for news only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.profile import Profile
from orchestration.sources.commoncrawl import selection_hash
from orchestration.sources.config import CommonCrawlSource, load_sources
from tests.orchestration.conftest import MakeProfile

WEB = {
    "name": "news", "kind": "web", "seeds": ["https://www.example.org/"],
    "cron": "0 3 * * *", "jitter_minutes": 60, "max_waiting": 1, "freshness_hours": 30,
}  # fmt: skip
CC = {
    "name": "cc-german", "kind": "commoncrawl", "index": "i", "cron": "0 */6 * * *",
    "selection": {"crawls": ["CC-MAIN-2024-22"]},
}  # fmt: skip
TALKS = {"name": "talks", "kind": "platforms", "urls": ["https://m.example.org/"], "enabled": False}


def tick(
    loaded: dg.Definitions, instance: dg.DagsterInstance, name: str, time: datetime
) -> tuple[list[str], str]:
    """The partitions that a tick asks for, and why none."""
    repository = loaded.get_repository_def()
    context = dg.build_schedule_context(
        instance=instance, repository_def=repository, scheduled_execution_time=time
    )
    data = repository.get_schedule_def(name).evaluate_tick(context)
    asked = [str(request.partition_key) for request in data.run_requests or []]
    return asked, data.skip_message or ""


def materialised(instance: dg.DagsterInstance, key: list[str], **event: Any) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(key), **event))


@pytest.fixture
def profile(make_profile: MakeProfile) -> Profile:
    return make_profile(WEB, CC, TALKS | {"cron": "0 1 * * *"})


def test_what_the_file_declares_is_in_the_graph(profile: Profile) -> None:
    loaded = defs()
    repository, graph = loaded.get_repository_def(), loaded.resolve_asset_graph()
    schedules = {one.name: one for one in repository.schedule_defs}
    assert schedules.keys() == {"incremental_crawl", "source_news", "source_cc_german"}
    assert schedules["source_news"].cron_schedule == ["37 3 * * *"]
    assert {one.name for one in repository.sensor_defs} == {
        "landing_files", "arrivals", "interrupted_runs",
    }  # fmt: skip
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey("documents")).parent_keys}
    # Media become no documents yet.
    assert parents == {"crawl", "sources/landing", "sources/news", "sources/cc_german"}
    news = graph.get(dg.AssetKey(["sources", "news"]))
    assert news.freshness_policy is not None
    assert graph.get(dg.AssetKey(["sources", "talks"])).freshness_policy is None
    checks = {key.asset_key.to_user_string() for key in graph.asset_check_keys}
    assert checks >= {"sources/news", "sources/cc_german", "sources/talks", "sources/landing"}


def test_a_tick_asks_for_its_day_or_its_minute(
    profile: Profile, instance: dg.DagsterInstance
) -> None:
    loaded = defs()
    when = datetime(2026, 1, 2, 3, 37, tzinfo=UTC)
    assert tick(loaded, instance, "source_news", when) == (["2026-01-02"], "")
    assert instance.get_dynamic_partitions("source_news") == ["2026-01-02"]
    assert tick(loaded, instance, "source_cc_german", when)[0] == ["2026-01-02T0337"]


def test_a_source_waits_while_the_corpus_is_behind(
    profile: Profile, instance: dg.DagsterInstance
) -> None:
    loaded = defs()
    materialised(instance, ["sources", "news"], partition="2026-01-02")
    for day in (3, 4):
        asked, reason = tick(
            loaded, instance, "source_news", datetime(2026, 1, day, 3, 37, tzinfo=UTC)
        )
        assert asked == []
        assert "news: 1 snapshots wait (1 arrived" in reason
        assert "max_waiting is 1" in reason
    assert "2026-01-03" not in instance.get_dynamic_partitions("source_news")
    materialised(instance, ["corpus"], partition="2026-01-02.news")
    after = datetime(2026, 1, 5, 3, 37, tzinfo=UTC)
    assert tick(loaded, instance, "source_news", after) == (["2026-01-05"], "")


def test_a_run_that_fetches_counts_as_waiting(
    profile: Profile, instance: dg.DagsterInstance
) -> None:
    loaded = defs()
    run = instance.create_run_for_job(
        loaded.resolve_job_def("source_news"), status=dg.DagsterRunStatus.STARTED
    )
    when = datetime(2026, 1, 5, 3, 37, tzinfo=UTC)
    asked, reason = tick(loaded, instance, "source_news", when)
    assert asked == []
    assert "1 being fetched" in reason
    instance.report_run_failed(run)  # nothing came of it: it does not block the next
    assert tick(loaded, instance, "source_news", when)[0] == ["2026-01-05"]


def test_an_archive_is_asked_again_when_the_choice_has_changed(
    profile: Profile, make_profile: MakeProfile, instance: dg.DagsterInstance
) -> None:
    source = load_sources(profile)["cc-german"]
    assert isinstance(source, CommonCrawlSource)
    metadata = {"selection_hash": selection_hash(source, profile)}
    materialised(instance, ["sources", "cc_german"], partition="2026-01-02T0000", metadata=metadata)
    when = datetime(2026, 1, 2, 6, tzinfo=UTC)
    asked, reason = tick(defs(), instance, "source_cc_german", when)
    assert asked == []
    assert "partition 2026-01-02T0000 holds this selection; change it" in reason
    make_profile(CC | {"selection": {"crawls": ["CC-MAIN-2024-26"]}})
    assert tick(defs(), instance, "source_cc_german", when)[0] == ["2026-01-02T0600"]
