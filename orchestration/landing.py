"""Files that land in HOME/landing: grouped into batches, each a snapshot of its own.

What belongs to a batch is written down (`.batches/SNAPSHOT.json`) before its run is asked for, so
that a rerun, today or next year, reads the same files.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.partitions import landing_snapshot
from schemas.errors import InputError
from schemas.report import JobReport

if TYPE_CHECKING:
    from etl.tables.store import Store
    from orchestration.profile import Profile

_BATCHES = ".batches"
_QUIET_SECONDS = 5.0  # a file that was written to more recently may still be growing


@dataclass(frozen=True, slots=True)
class Landed:
    """A file of the landing folder. `key` changes when the file does."""

    path: Path
    key: str


def landed_files(folder: Path, now: float | None = None) -> list[Landed]:
    """The files that are complete, by name. Hidden ones and those still growing are left out."""
    now = time.time() if now is None else now
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        state = path.stat()
        if now - state.st_mtime >= _QUIET_SECONDS:
            name = path.relative_to(folder).as_posix()
            found.append(Landed(path, f"{name}:{state.st_size}:{state.st_mtime_ns}"))
    return found


def record_batch(folder: Path, files: Sequence[Landed]) -> str:
    """Writes down a batch of new files and returns the name of its snapshot.

    The name holds the day of the newest file and a digest of all, so that it depends on the files
    alone and not on when somebody looked.
    """
    digest = hashlib.sha256("\n".join(file.key for file in files).encode()).hexdigest()[:8]
    newest = max(file.path.stat().st_mtime for file in files)
    snapshot = landing_snapshot(datetime.fromtimestamp(newest, UTC).date(), digest)
    record = folder / _BATCHES / f"{snapshot}.json"
    record.parent.mkdir(exist_ok=True)
    staging = record.with_suffix(".tmp")
    staging.write_text(json.dumps([str(file.path) for file in files]))
    staging.rename(record)
    return snapshot


def batch_files(folder: Path, snapshot: str) -> list[str]:
    """The files of a batch; raises `InputError` when the batch or one of its files is gone."""
    record = folder / _BATCHES / f"{snapshot}.json"
    if not record.is_file():
        raise InputError(f"{record}: no such batch; put its files into {folder} again")
    files: list[str] = json.loads(record.read_text())
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"{file}: landed in {snapshot} but is gone; put it back and rerun")
    return files


def ingest_batch(store: Store, profile: Profile, snapshot: str) -> JobReport:
    """Reads the files of a batch into the documents of its snapshot."""
    from etl.ingest.config import IngestConfig
    from etl.ingest.job import ingest_snapshot

    files = batch_files(profile.landing, snapshot)
    reading = IngestConfig(
        source=profile.source,
        max_record_bytes=profile.extract.max_bytes,
        s3=profile.s3,
        formats=profile.extract.formats,
    )
    return ingest_snapshot(store, files, reading, snapshot, profile.extract)
