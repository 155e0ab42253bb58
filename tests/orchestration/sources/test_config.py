"""The sources file: what it means, and that every mistake names file, source, key and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.profile import SOURCES, Profile, load_profile
from orchestration.sources.config import (
    CommonCrawlSource,
    FilesSource,
    PlatformsSource,
    WebSource,
    crawl_config,
    load_sources,
    range_config,
    uses_s3,
)
from schemas.errors import InputError

WEB = {"name": "news", "kind": "web", "seeds": ["https://www.example.org/"]}
CHOSEN = {"crawls": ["CC-MAIN-2024-22"]}
CC = {"name": "cc", "kind": "commoncrawl", "index": "i", "selection": CHOSEN}
FILES = {"name": "partner", "kind": "files", "path": "s3://bucket/in"}
MEDIA = {"name": "talks", "kind": "platforms", "urls": ["https://media.example.org/"]}


def profile(folder: Path, *sources: Any, **more: Any) -> Profile:
    (folder / "sources.yaml").write_text(json.dumps({"sources": list(sources)}))
    content = {
        "name": "test", "home": str(folder / "home"), "sources": "sources.yaml",
        "crawl": {"config": {"contact": "mailto:me@example.org", "max_pages": 7}}, **more,
    }  # fmt: skip
    (folder / "profile.yaml").write_text(json.dumps(content))
    return load_profile(str(folder / "profile.yaml"))


def test_the_example_shows_every_kind() -> None:
    example = Profile(name="x", sources=str(SOURCES / "example.yaml"))
    kinds = [type(source) for source in load_sources(example).values()]
    assert kinds == [FilesSource, WebSource, CommonCrawlSource, FilesSource, PlatformsSource]
    assert uses_s3(load_sources(example))


def test_without_a_file_there_is_the_landing_folder() -> None:
    plain = load_profile("local")
    sources = load_sources(plain)
    assert list(sources) == ["landing"]
    assert sources["landing"].paths == (str(plain.landing),)
    assert not uses_s3(sources)


def test_a_file_is_found_beside_the_profile_or_by_its_name(tmp_path: Path) -> None:
    assert profile(tmp_path).sources == str(tmp_path / "sources.yaml")
    assert profile(tmp_path, sources="example").sources == str(SOURCES / "example.yaml")
    with pytest.raises(InputError, match=r"profile\.yaml: sources: .*none\.yaml: no such file"):
        profile(tmp_path, sources="none.yaml")


def test_settings_are_the_profiles_but_for_what_a_source_changes(tmp_path: Path) -> None:
    web = WEB | {"config": {"delay_seconds": 3}}
    cc = CC | {"config": {"base_url": "s3://commoncrawl/"}}
    here = profile(tmp_path, web, cc, commoncrawl={"shares": 5}, s3={"region": "us-east-1"})
    sources = load_sources(here)
    news, records = sources["news"], sources["cc"]
    assert isinstance(news, WebSource)
    assert isinstance(records, CommonCrawlSource)
    config = crawl_config(news, here)
    assert (config.delay_seconds, config.max_pages) == (3, 7)
    ranges = range_config(records, here)
    assert (ranges.base_url, ranges.shares) == ("s3://commoncrawl/", 5)
    assert ranges.s3.region == "us-east-1"
    assert "mailto:me@example.org" in ranges.user_agent


def _with(entry: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (entry | changed).items() if value is not None}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (_with(WEB, kind=None), r"source news: kind: is None; choose one of: web, commoncrawl"),
        (_with(WEB, kind=["web"]), r"source news: kind: is \['web'\]"),
        (_with(WEB, seeds=None), r"source news: seeds is missing; add it"),
        (_with(WEB, seeds=[]), r"source news: seeds: .*at least 1"),
        (_with(WEB, seeds=["ftp://x"]), r"source news: seeds: 'ftp://x'"),
        (_with(WEB, seed="x"), r"source news: unknown key seed; .*seeds"),
        (_with(WEB, name="News"), r"source News: name: .*pattern.*'News'"),
        (_with(WEB, name="a--b"), r"source a--b: name: "),
        (_with(WEB, name="a-3f2a90c1"), r"name: must not end like the digest"),
        (_with(WEB, name=None), r"source number 1: name is missing"),
        (_with(WEB, name="landing"), r"source landing: name: is the built-in one"),
        (_with(WEB, cron="0 3 * *"), r"source news: cron '0 3 \* \*' has 4 fields"),
        (_with(WEB, cron="0 3 * * *", jitter_minutes=900), r"jitter_minutes: .*720"),
        (_with(WEB, cron="*/5 * * * *", jitter_minutes=9), r"jitter_minutes is 9, but cron"),
        (_with(WEB, max_waiting=0), r"source news: max_waiting: .*greater.*found 0"),
        (_with(WEB, freshness_hours="soon"), r"source news: freshness_hours: .*'soon'"),
        (_with(WEB, config={"dely": 1}), r"source news: config: unknown key dely; .*delay_seconds"),
        (_with(WEB, config={"delay_seconds": -1}), r"source news: config: delay_seconds is -1"),
        (_with(WEB, config={"contact": ""}), r"source news: config\.contact: is empty"),
        (_with(CC, selection={}), r"source cc: selection: crawls is empty"),
        (_with(CC, selection={"crawl": "x"}), r"unknown key selection\.crawl; .*crawls"),
        (_with(CC, selection=CHOSEN | {"languages": ["de"]}), r"selection: languages: 'de'"),
        (_with(CC, config={"base_url": "x"}), r"source cc: config: base_url is 'x'"),
        (_with(FILES, path=""), r"source partner: path: "),
        (_with(FILES, cron="0 3 * * *"), r"source partner: cron: files are watched"),
        (_with(MEDIA, urls=None), r"source talks: has nothing to visit; give urls, url_file"),
        (_with(MEDIA, config={"max_items": 0}), r"source talks: config: max_items is 0"),
        ("news", r"source number 1: kind: is None"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path: Path, entry: Any, message: str) -> None:
    here = profile(tmp_path, entry)
    with pytest.raises(InputError, match=message) as caught:
        load_sources(here)
    assert str(caught.value).startswith(f"{tmp_path / 'sources.yaml'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: [", "is not YAML"),
        ("- a", "sources: must be a list"),
        ("sources: {news: {kind: web}}", "sources: must be a list"),
        ("sources: []\nsource: []", "unknown key source"),
        ("sources: [!!python/name:os.system ]", "is not YAML"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    here = profile(tmp_path)
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_sources(here)


def test_a_name_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"source news: name: is there twice"):
        load_sources(profile(tmp_path, WEB, FILES, WEB))


def test_doctor_says_which_and_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.cli.doctor import examine

    profile(tmp_path, WEB, _with(FILES, enabled=False))
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", str(tmp_path / "profile.yaml"))
    (found,) = [finding for finding in examine() if finding.name == "sources"]
    assert found.ok
    assert "landing (files), news (web), partner (files) disabled" in found.detail
    profile(tmp_path, _with(WEB, seeds=None))
    (found,) = [finding for finding in examine() if finding.name == "sources"]
    assert not found.ok
    assert "source news: seeds is missing" in found.line()
    assert found.required
