"""Files that land in a folder or below an s3:// prefix: grouped into batches, each a partition.

What belongs to a batch is written down before its run is asked for, so that a rerun, today or next
year, reads the same files.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from etl.storage.client import MissingObjectError
from etl.storage.location import Location, is_s3
from etl.storage.objects import describe, list_objects
from orchestration.sources.naming import batch_partition
from schemas.errors import InputError

if TYPE_CHECKING:
    from etl.storage.config import S3Config
    from orchestration.sources.config import FilesSource

_DIGITS = 8
_SEEN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Landed:
    """A file. `version` changes when the file does; `modified` is in epoch seconds."""

    path: str
    size: int
    version: str
    modified: float

    @property
    def mark(self) -> str:
        """By which a sensor remembers it."""
        told = f"{self.path}:{self.size}:{self.version}"
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:_SEEN_DIGITS]


@dataclass(frozen=True, slots=True)
class Batch:
    """The files of a partition; `unchanged` counts those that were there with them, seen before."""

    files: tuple[Landed, ...]
    unchanged: int = 0


def landed_files(source: FilesSource, s3: S3Config, now: float | None = None) -> Iterator[Landed]:
    """The files that are complete, by name. Hidden ones and those still growing are left out."""
    now = time.time() if now is None else now
    found = _objects(source.path, s3) if is_s3(source.path) else _local(Path(source.path))
    return (file for file in found if now - file.modified >= source.quiet_seconds)


def _local(folder: Path) -> Iterator[Landed]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not _hidden(path.relative_to(folder).parts) and path.is_file():
            state = path.stat()
            version = str(state.st_mtime_ns)
            yield Landed(str(path.absolute()), state.st_size, version, state.st_mtime)


def _objects(prefix: str, s3: S3Config) -> Iterator[Landed]:
    for found in list_objects(Location.parse(prefix), s3):
        if not _hidden(found.name.split("/")):
            yield Landed(str(found.place), found.size, found.etag, found.modified)


def _hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def next_batch(
    source: FilesSource, present: Sequence[Landed], seen: frozenset[str]
) -> Batch | None:
    """The files that were not `seen` (marks), up to `max_batch_files`; None without any."""
    new = tuple(islice((f for f in present if f.mark not in seen), source.max_batch_files))
    return Batch(new, sum(f.mark in seen for f in present)) if new else None


def record_batch(folder: Path, batch: Batch) -> str:
    """Writes a batch down in `folder` and returns the name of its partition.

    The name holds the day of the newest file and a digest of all, so that it depends on the files
    alone and not on when somebody looked.
    """
    told = "\n".join(file.mark for file in batch.files)
    digest = hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]
    newest = max(file.modified for file in batch.files)
    day = datetime.fromtimestamp(newest, UTC).date().isoformat()
    partition = batch_partition(day, digest)
    record = _record(folder, partition)
    if record.exists():
        return partition
    record.parent.mkdir(parents=True, exist_ok=True)
    staging = record.with_suffix(".tmp")
    staging.write_text(json.dumps(asdict(batch)))
    staging.rename(record)
    return partition


def read_batch(folder: Path, partition: str) -> Batch:
    """Raises `InputError` when the batch was never written down here."""
    record = _record(folder, partition)
    if not record.is_file():
        raise InputError(
            f"{record}: no such batch; put its files into the source's folder again, as new ones"
        )
    told = json.loads(record.read_text())
    return Batch(tuple(Landed(**file) for file in told["files"]), told["unchanged"])


def _record(folder: Path, partition: str) -> Path:
    return folder / "batches" / f"{partition}.json"


def verified(batch: Batch, s3: S3Config) -> list[str]:
    """The batch's files that are as they were listed. One that was replaced is left out: as it is
    now, it belongs to a later batch. Raises `InputError` for a file that is gone."""
    return [file.path for file in batch.files if _version(file, s3) == (file.size, file.version)]


def _version(file: Landed, s3: S3Config) -> tuple[int, str]:
    try:
        if is_s3(file.path):
            info = describe(Location.parse(file.path), s3)
            return info.size, info.etag
        state = Path(file.path).stat()
    except (FileNotFoundError, MissingObjectError):
        raise InputError(f"{file.path}: landed but is gone; put it back and rerun") from None
    return state.st_size, str(state.st_mtime_ns)
