"""Objects as files: the part of `pathlib.Path` that readers use, over ranged requests."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

from etl.storage.client import backoff, explained, s3_client
from etl.storage.config import S3Config
from etl.storage.location import Location, is_s3
from etl.storage.objects import ObjectInfo, describe, find, is_folder
from schemas.errors import StepError

_FIRST_WINDOW, _LAST_WINDOW = 256 << 10, 16 << 20
_BUFFER = 64 << 10


def located(path: str, config: S3Config | None = None) -> Path | S3File:
    """The file or folder of that name, local or on S3."""
    return S3File(Location.parse(path), config or S3Config()) if is_s3(path) else Path(path)


class S3File:
    """An object, or a folder of objects, as readers of files use it."""

    def __init__(self, place: Location, config: S3Config) -> None:
        self.place, self.config = place, config

    def __str__(self) -> str:
        return str(self.place)

    def __truediv__(self, name: str) -> S3File:
        return S3File(self.place.child(name), self.config)

    @property
    def name(self) -> str:
        return self.place.key.rstrip("/").rsplit("/", 1)[-1]

    @cached_property
    def info(self) -> ObjectInfo:
        return describe(self.place, self.config)

    def is_dir(self) -> bool:
        return is_folder(self.place, self.config)

    def is_file(self) -> bool:
        key = self.place.key
        return bool(key) and not key.endswith("/") and find(self.place, self.config) is not None

    def stat(self) -> Any:
        return SimpleNamespace(st_size=self.info.size)

    def absolute(self) -> S3File:
        return self

    def as_uri(self) -> str:
        return str(self)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Raises `MissingObjectError` when there is no such object."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}: an object is opened to be read; use upload_file")
        raw = ObjectReader(self.place, self.info, self.config)
        return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


class ObjectReader(io.RawIOBase):
    """Reads an object from any place by ranged GETs, in bounded memory.

    A range is short after a seek and grows as reading goes on, so that neither a record here and
    there nor a whole file costs much. A broken connection is taken up where it broke; an object
    that changes meanwhile is a `StepError`, never a splice of both (`If-Match`).
    """

    def __init__(self, place: Location, info: ObjectInfo, config: S3Config) -> None:
        self._place, self._info, self._config = place, info, config
        self._position = self._end = 0  # `_end`: of the range that `_body` is the rest of
        self._window = _FIRST_WINDOW
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._info.size}[whence]
        place = max(0, base + offset)
        if place != self._position:
            self._drop()
            self._position, self._window = place, _FIRST_WINDOW
        return place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._info.size - self._position)
        if wanted <= 0:
            return 0
        data = self._read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, wanted: int) -> bytes:
        from botocore.exceptions import BotoCoreError

        for attempt in range(self._config.max_attempts):
            if attempt:
                backoff(attempt)
            if self._body is None or self._position >= self._end:
                self._request()
            try:
                data: bytes = self._body.read(min(wanted, self._end - self._position))
            except (BotoCoreError, OSError):
                data = b""
            if data:
                return data
            self._drop()
        raise StepError(
            f"{self._place}: broke off at byte {self._position} of {self._info.size}, "
            f"{self._config.max_attempts} times; check the network, then run again"
        )

    def _request(self) -> None:
        self._drop()
        self._end = min(self._position + self._window, self._info.size)
        self._window = min(2 * self._window, _LAST_WINDOW)
        with explained(self._place):
            self._body = s3_client(self._config).get_object(
                Bucket=self._place.bucket,
                Key=self._place.key,
                Range=f"bytes={self._position}-{self._end - 1}",
                IfMatch=self._info.etag,
            )["Body"]

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
