"""Deployments of a few sources, and a Dagster instance that remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.profile import Profile, load_profile

MakeProfile = Callable[..., Profile]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as made:
        yield made


@pytest.fixture
def make_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProfile:
    """Writes a profile with these sources, selects and loads it."""

    def make(*sources: dict[str, Any], **more: Any) -> Profile:
        (tmp_path / "sources.yaml").write_text(json.dumps({"sources": list(sources)}))
        content = {
            "name": "test", "home": str(tmp_path / "home"), "sources": "sources.yaml",
            "crawl": {"config": {"contact": "mailto:me@example.org"}}, **more,
        }  # fmt: skip
        path = tmp_path / "profile.yaml"
        path.write_text(json.dumps(content))
        monkeypatch.setenv("TOKENFOUNDRY_PROFILE", str(path))
        return load_profile()

    return make
