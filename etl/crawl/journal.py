"""The journal of a crawl: one JSON line a decided URL, appended after its WARC records.

It is the only truth of an unfinished crawl. A line counts when it is whole and its WARC bytes are
there; everything behind the first line that does not count is cut off when the crawl resumes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.crawl.warc import Place
from schemas.errors import StepError


class Journal:
    """An append-only file of JSON lines, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Opens, locks and repairs it. Raises `StepError` when another crawl holds it."""
        self.path = path
        self._handle = path.open("ab+", buffering=0)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StepError(f"{path}: another crawl is writing it; wait for it to end") from None
        self.last_place: Place | None = None
        self._handle.truncate(self._sound_length())

    def _sound_length(self) -> int:
        sizes: dict[str, int] = {}
        length = 0
        for line, end in _lines(self.path):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            place = _place(entry)
            if place is not None:
                if place.file not in sizes:
                    file = self.path.parent / place.file
                    sizes[place.file] = file.stat().st_size if file.exists() else 0
                if sizes[place.file] < place.end:
                    break
                self.last_place = place
            length = end
        return length

    def append(self, entry: dict[str, Any]) -> None:
        """Writes one line in one system call: a kill leaves the whole line or a torn tail."""
        data = (json.dumps(entry, separators=(",", ":")) + "\n").encode("ascii")
        written = self._handle.write(data)
        while written is not None and written < len(data):
            data = data[written:]
            written = self._handle.write(data)

    def close(self) -> None:
        os.fsync(self._handle.fileno())
        self._handle.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal, in order; a torn last line is left out."""
    for line, _ in _lines(path):
        try:
            yield json.loads(line)
        except ValueError:
            return


def finished_under(path: Path, run_hash: str) -> dict[str, Any] | None:
    """The closing line of a crawl that finished under these settings, else None."""
    last: dict[str, Any] = {}
    if path.exists():
        for entry in read_journal(path):
            last = entry
    return last if last.get("kind") == "end" and last.get("run_hash") == run_hash else None


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    end = 0
    with path.open("rb") as handle:
        for line in handle:
            end += len(line)
            if line.endswith(b"\n"):
                yield line, end


def _place(entry: dict[str, Any]) -> Place | None:
    if not entry.get("warc_file"):
        return None
    name = str(entry["warc_file"]).rsplit("/", 1)[-1]
    return Place(name, entry["warc_offset"], entry["warc_length"], entry["warc_end"])
