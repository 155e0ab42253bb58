"""Ranges of objects on S3 (boto3 in threads), each conditional on the version that was read first.

The archive on S3 (s3://commoncrawl/) asks for credentials, any AWS account's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.reader import Piece, RangeError, retry_after
from etl.storage.client import s3_client
from etl.storage.location import Location
from schemas.errors import InputError

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK = 1 << 14  # the time is looked at between two
_KNOWN_VERSIONS = 10_000


@asynccontextmanager
async def open_s3(config: RangeConfig) -> AsyncIterator[S3Reader]:
    """A reader with its threads, as many as a share may have requests in flight. Raises
    `InputError` for a base that is no bucket, or without credentials."""
    base = Location.parse(config.base_url)
    workers = config.share_concurrency
    # What is asked again, and when, is decided in one place: `Patient`.
    settings = replace(
        config.s3, max_concurrency=workers, max_attempts=1, timeout_seconds=config.timeout_seconds
    )
    _require_credentials(config.base_url)
    pool = ThreadPoolExecutor(workers, "s3-ranges")
    try:
        yield S3Reader(base, s3_client(settings), config, pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _require_credentials(base: str) -> None:
    import boto3

    if boto3.session.Session().get_credentials() is None:
        raise InputError(
            f"{base}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give the "
            "machine a role, or use the https:// endpoint"
        )


class S3Reader:
    """`RangeReader` over S3. An object that changes between two ranges is `changed`, never a splice
    of both versions; asked again, its new version is read."""

    def __init__(
        self, base: Location, client: Any, config: RangeConfig, pool: ThreadPoolExecutor
    ) -> None:
        self._base, self._client, self._pool = base, client, pool
        self._seconds = config.timeout_seconds
        self._versions: dict[str, str] = {}

    async def read(self, path: str, offset: int, length: int, *, to_end: bool = False) -> Piece:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._read, path, offset, length, to_end)

    def _read(self, path: str, offset: int, length: int, to_end: bool) -> Piece:
        from botocore import exceptions as failed

        place, until = self._base.child(path), time.monotonic() + self._seconds
        known = self._versions.get(path)
        try:
            answer = self._client.get_object(
                Bucket=place.bucket, Key=place.key, Range=f"bytes={offset}-{offset + length - 1}",
                **({"IfMatch": known} if known else {}),
            )  # fmt: skip
            total, granted = _granted(answer, offset, length, to_end)
            data = _body(answer["Body"], granted, until)
        except failed.ClientError as error:
            raise self._refusal(path, error) from None
        except (failed.ReadTimeoutError, failed.ConnectTimeoutError):
            raise _timeout(path) from None
        except failed.NoCredentialsError as error:
            raise RangeError("no_credentials", str(error)) from None
        except (failed.BotoCoreError, OSError) as error:
            message = f"{place}: {type(error).__name__}: {error}"[:300]
            raise RangeError("network_error", message, transient=True) from None
        if data is None:
            raise _timeout(path)
        if len(data) != granted:
            message = f"{len(data)} of {granted} bytes came"
            raise RangeError("truncated_body", message, transient=True)
        self._remember(path, answer["ETag"])
        return Piece(data, total, answer["ETag"])

    def _remember(self, path: str, version: str) -> None:
        if len(self._versions) >= _KNOWN_VERSIONS:
            self._versions.clear()
        self._versions[path] = version

    def _refusal(self, path: str, error: Any) -> RangeError:
        told = error.response.get("Error", {})
        answer = error.response.get("ResponseMetadata", {})
        status = int(answer.get("HTTPStatusCode") or 0)
        if status == 412:
            self._versions.pop(path, None)
            return RangeError("changed", f"{path}: changed while it was read", transient=True)
        headers = answer.get("HTTPHeaders") or {}
        message = f"S3 {told.get('Code', status)}: {told.get('Message', '')}"[:300]
        return RangeError(
            f"http_{status}", message, transient=status in _TRANSIENT,
            wait=retry_after(headers.get("retry-after")),
        )  # fmt: skip


def _timeout(path: str) -> RangeError:
    return RangeError("timeout", f"{path}: no whole answer in time", transient=True)


def _granted(answer: Any, offset: int, length: int, to_end: bool) -> tuple[int, int]:
    """The object's size and the length of the range, if it is the one that was asked for."""
    stated = str(answer.get("ContentRange") or "")
    found = _RANGE.fullmatch(stated)
    first, last, total = (int(part) for part in found.groups()) if found else (-1, -2, 0)
    granted = last - first + 1
    ends_there = to_end and total == last + 1 and 0 < granted <= length
    if first != offset or (granted != length and not ends_there):
        answer["Body"].close()
        asked = f"bytes {offset}-{offset + length - 1}"
        raise RangeError("wrong_range", f"asked for {asked}, was given {stated[:80]!r}")
    return total, granted


def _body(body: Any, length: int, until: float) -> bytes | None:
    """Up to `length` bytes, or fewer when the connection ends; None when time runs out."""
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    data = bytearray()
    try:
        while len(data) < length:
            if time.monotonic() > until:
                return None
            chunk = body.read(min(_CHUNK, length - len(data)))
            if not chunk:
                break
            data += chunk
    except ReadTimeoutError:
        return None
    except (IncompleteReadError, ResponseStreamingError):
        pass
    finally:
        body.close()
    return bytes(data)
