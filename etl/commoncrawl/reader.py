"""Bytes of a file by range, wherever it lies: the interface, its errors, and how they are retried.

Full jitter: M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from etl.commoncrawl.config import RangeConfig
from etl.storage.location import is_s3

_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+,@~-]*(/[A-Za-z0-9][A-Za-z0-9._=+,@~-]*)*")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a range. `total` is the file's size and `version` its ETag, where they are told."""

    data: bytes
    total: int | None = None
    version: str = ""


class RangeError(Exception):
    """A range that was not got. `transient`: asking again later may help."""

    def __init__(
        self, error_class: str, message: str, *, transient: bool = False, wait: float = 0.0
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.transient = transient
        self.wait = wait  # seconds that the server asked for


class RangeReader(Protocol):
    """Reads ranges of files below one base. Used by many coroutines of one event loop at once."""

    async def read(self, path: str, offset: int, length: int, *, to_end: bool = False) -> Piece:
        """Exactly `length` bytes from `offset` of the file at `path` (relative to the base).

        With `to_end` the file may end before, and then fewer come. Raises `RangeError`; never
        gives other bytes than those asked for, and never reads much more.
        """


class OpenReader(Protocol):
    """Opens a reader in the process that uses it (a Spark worker): it must pickle."""

    def __call__(self, config: RangeConfig, /) -> AbstractAsyncContextManager[RangeReader]: ...


def open_reader(config: RangeConfig) -> AbstractAsyncContextManager[RangeReader]:
    """The reader for the scheme of `base_url`."""
    if is_s3(config.base_url):
        from etl.commoncrawl.s3 import open_s3

        return open_s3(config)
    from etl.commoncrawl.http import open_http

    return open_http(config)


def require_reader(open_with: OpenReader, config: RangeConfig) -> None:
    """Raises `InputError` for an address that cannot be read, before anything is written."""

    async def try_it() -> None:
        async with open_with(config):
            pass

    asyncio.run(try_it())


def is_safe_path(path: str) -> bool:
    """Whether a path from an index or a list is a plain relative one: it becomes a URL's path."""
    return len(path) <= 1_024 and _PATH.fullmatch(path) is not None


def retry_after(value: str | None, now: float | None = None) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 for none or nonsense."""
    if not value:
        return 0.0
    if value.strip().isascii() and value.strip().isdigit():
        return float(value[:12])
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    at = datetime.now(UTC).timestamp() if now is None else now
    return max(0.0, until.timestamp() - at)


class Pace:
    """Lets requests to one host go at a bounded rate, and none while the host has asked to wait."""

    def __init__(self, requests_per_second: float) -> None:
        self._interval = 1 / requests_per_second if requests_per_second > 0 else 0.0
        self._next = self._held_until = 0.0

    async def turn(self) -> None:
        """Waits for the caller's turn."""
        at = 0.0
        if self._interval:
            at = max(time.monotonic(), self._next)
            self._next = at + self._interval
        while (left := max(at, self._held_until) - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def hold(self, seconds: float) -> None:
        """Nobody goes for so long."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)


class Patient:
    """A reader that asks again after what passes: 429, 5xx, broken connections, timeouts."""

    def __init__(self, reader: RangeReader, config: RangeConfig) -> None:
        self._reader = reader
        self._config = config
        self._pace = Pace(config.requests_per_second / config.shares)
        self.requests = 0

    async def read(self, path: str, offset: int, length: int, *, to_end: bool = False) -> Piece:
        """`RangeReader.read`, repeated. Raises the last `RangeError`."""
        config = self._config
        for attempt in range(config.retries + 1):
            await self._pace.turn()
            self.requests += 1
            try:
                return await self._reader.read(path, offset, length, to_end=to_end)
            except RangeError as error:
                if not error.transient or attempt == config.retries:
                    raise
                bound = min(config.max_wait_seconds, config.backoff_seconds * 2**attempt)
                wait = random.uniform(0, bound)  # noqa: S311 - it spreads load, it hides nothing
                if error.wait:
                    self._pace.hold(min(error.wait, config.max_wait_seconds))
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")
