"""The sample site as a process of its own, for as long as a crawl needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.profile import SampleSite



@contextmanager
def running_site(site: SampleSite, day: int) -> Iterator[list[str]]:
    raise NotImplementedError
    yield []
