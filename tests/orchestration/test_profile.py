"""Profiles: the shipped ones are valid; a mistake is named with file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.profile import PROFILES, load_profile, profile_file
from schemas.errors import InputError


def _written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_valid(path: Path) -> None:
    profile = load_profile(str(path))
    assert profile.name == path.stem
    assert profile.crawl.config.contact


def test_local_is_the_default_and_self_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENFOUNDRY_PROFILE", raising=False)
    profile = load_profile()
    assert profile.name == "local"
    assert profile.sample_site.enabled
    assert profile.training.launcher == "local"


def test_cluster_differs_only_in_settings() -> None:
    profile = load_profile("cluster")
    assert profile.store_root.startswith("s3://")
    assert profile.crawl_root == str(profile.home_path / "warc")
    assert not profile.spark.master.startswith("local")
    assert profile.training.launcher == "slurm"
    assert not profile.crawl.config.allow_private_addresses
    text = (PROFILES / "cluster.yaml").read_text()
    assert not any(word in text.lower() for word in ("secret_key:", "password:", "access_key:"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nnope: 1", r"unknown key nope; remove it or choose one of: .*crawl"),
        ("name: x\nspark: {mastr: y}", r"unknown key spark\.mastr; .*master"),
        ("name: x\ncrawl: {config: {nope: 1}}", r"crawl\.config\.nope.*user_agent"),
        ("name: x\ncrawl: {config: {delay_seconds: -1}}", r"crawl\.config: delay_seconds is -1"),
        ("name: x\ntraining: {launcher: ssh}", r"training\.launcher: .*'local' or 'slurm'.*'ssh'"),
        ("name: x\nsample_site: {port: 80}", r"sample_site\.port: .*1024.*80"),
        ("name: x\ndedup: {threshold: 3}", r"dedup: .*threshold.*between 0 and 1"),
        ("name: x\nfilter: {thresholds: {no.rule: 1}}", r"filter: thresholds.*no\.rule"),
        ("home: x", r"name is missing; add it"),
        ("name: [", r"is not YAML"),
        ("- a\n- b", r"holds no settings"),
        ("name: x\nnope: 1\nneither: 2", r"and 1 more"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load_profile(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    path = _written(tmp_path, f'name: !!python/object/apply:pathlib.Path.touch ["{marker}"]')
    with pytest.raises(InputError, match="is not YAML"):
        load_profile(path)
    assert not marker.exists()


def test_selection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path, "name: mine\nhome: data")
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", path)
    monkeypatch.chdir(tmp_path)
    assert load_profile().home_path == tmp_path / "data"
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", "staging")
    with pytest.raises(InputError, match=r"unknown profile 'staging'.*cluster, local"):
        profile_file()
    with pytest.raises(InputError, match="no such file"):
        profile_file(str(tmp_path / "absent.yaml"))


def test_a_setting_changes_its_stage_s_hash_only(tmp_path: Path) -> None:
    before = load_profile(_written(tmp_path, "name: x"))
    after = load_profile(_written(tmp_path, "name: x\ndedup: {seed: 7}"))
    stages = ("crawl", "extract", "filter", "dedup", "scrub", "tokenizer", "tokens", "blend")
    changed = [name for name in stages if before.stage_hash(name) != after.stage_hash(name)]
    assert changed == ["dedup"]
