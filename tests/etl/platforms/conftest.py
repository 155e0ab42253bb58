from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.platforms.config import PlatformConfig
from etl.platforms.gate import Gate
from etl.platforms.row import Task
from etl.platforms.visit import Listing, Visitor
from tests.etl.platforms.site import Site, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as running:
        yield running


@pytest.fixture
def draw(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def settings(site: Site) -> Callable[..., PlatformConfig]:
    def make(**changed: Any) -> PlatformConfig:
        known: dict[str, Any] = {
            "contact": "https://example.org/bot", "delay_seconds": 0, "retries": 0,
            "timeout_seconds": 5, "private_hosts": (site.host,),
        }  # fmt: skip
        return PlatformConfig(**{**known, **changed})

    return make


@pytest.fixture
def visit(tmp_path: Path, settings: Callable[..., PlatformConfig]) -> Callable[..., Any]:
    """Visits one URL in this process; a list gives its tasks."""

    def run(url: str, entry: int | None = None, **changed: Any) -> Any:
        config = settings(**changed)
        visitor = Visitor(config, "test", tmp_path / "media", "0" * 16, Gate(config))
        found = visitor.visit(Task(url=url, entry=entry))
        return found.children if isinstance(found, Listing) else found

    return run
