"""Whole files of Common Crawl (WARC, WET, WAT, the index itself) by a list of paths, into a landing
folder. Files grow under a hidden name and appear under their own when they are whole."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.reader import (
    OpenReader,
    Patient,
    RangeError,
    is_safe_path,
    open_reader,
    require_reader,
)
from etl.commoncrawl.tasks import Counts, leave_progress, run_shares, telling_progress
from schemas.errors import InputError, StepError
from schemas.report import JobReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOCK_SECONDS = 60
_LIST_BYTES = 256_000_000
_MISSING = frozenset({"http_404", "http_410"})


def read_paths(listing: Path) -> list[str]:
    """The paths of a `*.paths.gz` (or plain) list. Raises `InputError` for what is no such list."""
    try:
        opened = gzip.open if listing.read_bytes()[:2] == b"\x1f\x8b" else open
        with opened(listing, "rb") as file:
            data = file.read(_LIST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{listing}: {error}; give a list such as warc.paths.gz") from None
    if len(data) > _LIST_BYTES:
        raise InputError(f"{listing}: inflates to more than {_LIST_BYTES} bytes; divide it")
    paths = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    for number, path in enumerate(paths, 1):
        if not is_safe_path(path):
            raise InputError(f"{listing}: line {number}: {path[:80]!r} is no path; correct it")
    if not paths:
        raise InputError(f"{listing}: holds no path; give a list such as warc.paths.gz")
    return list(dict.fromkeys(paths))


def download_segments(
    spark: SparkSession,
    listing: str,
    landing: str,
    config: RangeConfig,
    limit: int = 0,
    open_with: OpenReader = open_reader,
) -> JobReport:
    """Brings the first `limit` (0: all) files of the list into `landing`, below their own paths.

    Files come in ranges of `config.request_bytes`, several files at a time; run again, each goes on
    where it was. A file that the server does not have is quarantined: a line in
    `landing/.commoncrawl/*.missing`. Raises `StepError` when a file could not be fetched.
    """
    started = time.monotonic()
    paths = read_paths(Path(listing))[: limit or None]
    require_reader(open_with, config)
    folder = Path(landing).absolute()
    work_folder = folder / ".commoncrawl"
    work_folder.mkdir(parents=True, exist_ok=True)
    for old in (*work_folder.glob("*.progress"), *work_folder.glob("*.missing")):
        old.unlink()

    def work(share: int) -> Counts:
        mine = paths[share :: config.shares]
        return asyncio.run(_Share(folder, share, config).run(mine, open_with))

    with telling_progress(work_folder, len(paths), "files"):
        counts = run_shares(spark, config.shares, work)
    return JobReport(
        verb="commoncrawl",
        rows_in=len(paths),
        kept=counts.get("kept", 0),
        quarantined=counts.get("missing", 0),
        bytes_in=counts.get("bytes", 0),
        seconds=time.monotonic() - started,
        outputs={"landing": str(folder)},
        extra={"requests": counts.get("requests", 0)},
    ).require_reconciled()


class _Share:
    """Every n-th file of the list."""

    def __init__(self, folder: Path, share: int, config: RangeConfig) -> None:
        self._folder, self._share, self._config = folder, share, config
        self._counts = {"kept": 0, "missing": 0, "bytes": 0, "requests": 0}

    async def run(self, paths: list[str], open_with: OpenReader) -> Counts:
        left = iter(paths)
        try:
            async with open_with(self._config) as reader, asyncio.TaskGroup() as tasks:
                patient = Patient(reader, self._config)
                for _ in range(self._config.share_concurrency):
                    tasks.create_task(self._work(patient, left))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        self._counts["requests"] = patient.requests
        return self._counts

    async def _work(self, reader: Patient, paths: Iterator[str]) -> None:
        for path in paths:
            try:
                await self._download(reader, path)
                self._counts["kept"] += 1
            except RangeError as error:
                if error.error_class not in _MISSING:
                    raise StepError(f"{path}: {error}; run the same command again") from None
                self._counts["missing"] += 1
                self._note_missing(path, str(error))

    async def _download(self, reader: Patient, path: str) -> None:
        target = self._folder / path
        part = target.with_name(f".{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            with part.open("ab") as file:
                await _lock(file)
                if not target.exists():
                    await self._grow(reader, path, file)
                    part.rename(target)
        part.unlink(missing_ok=True)
        part.with_suffix(".version").unlink(missing_ok=True)
        self._counts["bytes"] += target.stat().st_size

    async def _grow(self, reader: Patient, path: str, file: BinaryIO) -> None:
        """Appends what the file lacks. When it is another version by now, it begins anew."""
        note = Path(file.name).with_suffix(".version")
        if not note.exists():
            file.truncate(0)
        done, total = file.seek(0, os.SEEK_END), None
        while total is None or done < total:
            piece = await reader.read(path, done, self._config.request_bytes, to_end=True)
            if piece.total is None:
                raise RangeError("no_size", "the server does not say how long the file is")
            version = json.dumps([piece.total, piece.version])
            if done and note.read_text() != version:
                file.truncate(0)
                done, total = 0, None
                continue
            if not done:
                note.write_text(version)
            file.write(piece.data)
            file.flush()
            done, total = done + len(piece.data), piece.total
            self._tell()
        os.fsync(file.fileno())

    def _tell(self) -> None:
        name = f"{self._share:05d}.progress"
        leave_progress(self._folder / ".commoncrawl" / name, self._counts)

    def _note_missing(self, path: str, message: str) -> None:
        line = json.dumps({"path": path, "message": message})
        with (self._folder / ".commoncrawl" / f"{self._share:05d}.missing").open("a") as file:
            file.write(line + "\n")


async def _lock(file: BinaryIO) -> None:
    """Waits for a killed run's workers, which may outlive it for a moment."""
    for _ in range(_LOCK_SECONDS * 5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            return
    raise StepError(f"{file.name}: another run is fetching it; wait for it to end")
