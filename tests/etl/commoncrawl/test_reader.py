from __future__ import annotations

import asyncio
import time

import pytest

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.reader import (
    Pace,
    Patient,
    Piece,
    RangeError,
    is_safe_path,
    retry_after,
)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0), ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0), ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        (None, 0.0), ("", 0.0), ("soon", 0.0), ("-5", 0.0), ("٣", 0.0),
        ("Thu, 01 Jan 99999 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_in_either_form(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=60.0) == seconds


@pytest.mark.parametrize("path", ["a/b.gz", "crawl-data/CC-MAIN-2024-22/segments/1.2/warc/x.gz"])
def test_paths_of_an_archive(path: str) -> None:
    assert is_safe_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "/etc/x", "../x", "a/../b", "a//b", "http://h/x", "a?b", "a b", "a\nb", "a" * 2000],
)  # fmt: skip
def test_paths_that_could_lead_elsewhere(path: str) -> None:
    assert not is_safe_path(path)


class Moody:
    """Fails as told, then answers."""

    def __init__(self, *errors: RangeError) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def read(
        self, path: str, offset: int, length: int, *, to_end: bool = False  # noqa: ARG002
    ) -> Piece:  # fmt: skip
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return Piece(bytes(length))


def test_what_passes_is_asked_again_and_what_does_not_is_not() -> None:
    busy = [RangeError("http_503", "busy", transient=True) for _ in range(3)]
    moody = Moody(*busy)
    config = RangeConfig(backoff_seconds=0, retries=3)
    assert len(asyncio.run(Patient(moody, config).read("x", 0, 5)).data) == 5
    assert moody.asked == 4
    for errors, asked in ((busy * 2, 4), ([RangeError("http_404", "none")], 1)):
        moody = Moody(*errors)
        with pytest.raises(RangeError):
            asyncio.run(Patient(moody, config).read("x", 0, 5))
        assert moody.asked == asked


def test_one_request_that_is_told_to_wait_makes_all_wait() -> None:
    moody = Moody(RangeError("http_429", "wait", transient=True, wait=0.3))
    patient = Patient(moody, RangeConfig(backoff_seconds=0, retries=1))

    async def two() -> None:
        await asyncio.gather(patient.read("a", 0, 1), _later())

    async def _later() -> None:
        await asyncio.sleep(0.05)
        await patient.read("b", 0, 1)

    started = time.monotonic()
    asyncio.run(two())
    assert time.monotonic() - started >= 0.3
    assert moody.asked == 3


def test_a_wait_is_bounded() -> None:
    moody = Moody(RangeError("http_429", "wait", transient=True, wait=1e9))
    config = RangeConfig(backoff_seconds=0, retries=1, max_wait_seconds=0.1)
    asyncio.run(asyncio.wait_for(Patient(moody, config).read("a", 0, 1), 30))


def test_the_rate_is_a_bound() -> None:
    async def turns() -> float:
        pace, started = Pace(100), time.monotonic()
        await asyncio.gather(*[pace.turn() for _ in range(21)])
        return time.monotonic() - started

    assert asyncio.run(turns()) >= 0.2
