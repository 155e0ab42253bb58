"""One share of the plan fetched: many ranges in flight, each record checked, written to its place
and then journalled. Killed anywhere, it goes on from the journal."""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.plan import Planned, coalesced, planned, warc_head
from etl.commoncrawl.reader import OpenReader, Patient, RangeError
from etl.commoncrawl.tasks import leave_progress
from etl.commoncrawl.verify import RecordError, check_record
from etl.crawl.journal import Journal, read_journal
from schemas.errors import StepError

# Answers about this file or range alone; others may mean that the server is down or shuts us out.
_DEFINITIVE = frozenset({"http_404", "http_410", "http_416", "beyond_end"})
_OF_THE_RANGE = frozenset({"http_416", "beyond_end", "wrong_range", "wrong_length"})
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOrder:
    """What to fetch and where to: OUT, the number of the share, and the settings."""

    out: str
    share: int
    config: RangeConfig
    max_record_bytes: int

    @property
    def work(self) -> Path:
        return Path(self.out) / "_work"

    @property
    def plan(self) -> Path:
        return self.work / "plan"

    @property
    def journal(self) -> Path:
        return self.work / f"{self.share:05d}.journal"

    def part(self, file: int) -> Path:
        """A WARC file that is still being written."""
        return self.work / f"{self.share:05d}-{file:05d}.part"

    def rows(self) -> Iterator[Planned]:
        return planned(self.plan, self.share, self.config, self.max_record_bytes)


@dataclass(slots=True)
class State:
    """What the journal says: which records are here, and why others never will be."""

    marks: bytearray = field(default_factory=bytearray)  # 1 for a record that is here
    kept: int = 0
    bytes: int = 0
    failed: dict[int, tuple[str, str]] = field(default_factory=dict)
    requests: int = 0  # of this process
    ended: bool = False  # nothing is left to fetch

    def keep(self, number: int, length: int) -> None:
        self.marks.extend(bytes(max(0, number + 1 - len(self.marks))))
        if not self.marks[number]:
            self.kept, self.bytes = self.kept + 1, self.bytes + length
        self.marks[number] = 1

    def is_kept(self, number: int) -> bool:
        return number < len(self.marks) and bool(self.marks[number])

    def is_decided(self, number: int) -> bool:
        return self.is_kept(number) or number in self.failed


class Parts:
    """The WARC files being written, by number."""

    def __init__(self, order: ShareOrder) -> None:
        self._order = order
        self._open: dict[int, int] = {}

    def write(self, row: Planned, data: bytes) -> None:
        """Writes a record to its place."""
        _write_at(self._descriptor(row.file), data, row.at)

    def read(self, file: int, at: int, length: int) -> bytes:
        return os.pread(self._descriptor(file), length, at)

    def _descriptor(self, file: int) -> int:
        if file not in self._open:
            path = self._order.part(file)
            self._open[file] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            _write_at(self._open[file], warc_head(self._order.share, file), 0)
        return self._open[file]

    def close(self, *, durable: bool = False) -> None:
        for descriptor in self._open.values():
            if durable:
                os.fsync(descriptor)
            os.close(descriptor)
        self._open.clear()


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


class ShareFetch:
    """Fetches what the journal does not have yet."""

    def __init__(self, order: ShareOrder) -> None:
        self._order = order
        self._journal = _locked(order.journal)
        self._parts = Parts(order)
        self.state = _state(order.journal, self._parts)
        self._failures: list[tuple[list[Planned], RangeError]] = []
        self._answered = self.state.kept > 0
        self._told = 0.0

    async def run(self, open_reader: OpenReader) -> State:
        """Everything that is left. Raises `StepError` when the server stops answering."""
        if self.state.ended:
            self._journal.close()
            return self.state
        config, decided = self._order.config, self.state.is_decided
        left = (r for r in self._order.rows() if r.verdict == "fetch" and not decided(r.number))
        groups = coalesced(left, config.gap_bytes, config.request_bytes)
        try:
            async with open_reader(config) as reader, asyncio.TaskGroup() as tasks:
                patient = Patient(reader, config)
                for _ in range(config.share_concurrency):
                    tasks.create_task(self._work(patient, groups))
            self._settle()
            self._parts.close(durable=True)
            self._journal.append({"kind": "end"})
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._parts.close()
            self._journal.close()
        return self.state

    async def _work(self, reader: Patient, groups: Iterator[list[Planned]]) -> None:
        for group in groups:  # one iterator for all workers: each takes the next group
            await self._fetch(reader, group)
            self.state.requests = reader.requests
            self._tell()

    async def _fetch(self, reader: Patient, group: list[Planned]) -> None:
        start = group[0].offset
        try:
            piece = await reader.read(group[0].path, start, group[-1].end - start)
        except RangeError as error:
            if len(group) > 1 and error.error_class in _OF_THE_RANGE:
                for row in group:  # one of them may be to blame
                    await self._fetch(reader, [row])
            else:
                self._missed(group, error)
            return
        self._answer()
        for row in group:
            self._store(row, piece.data[row.offset - start : row.end - start])

    def _store(self, row: Planned, data: bytes) -> None:
        try:
            check_record(data, row.url, row.digest, self._order.config.max_inflated_bytes)
        except RecordError as error:
            self._quarantine(row, error.error_class, str(error))
            return
        self._parts.write(row, data)
        place = {"file": row.file, "at": row.at, "length": row.length}
        self._journal.append({"record": row.number, **place, "crc": zlib.crc32(data)})
        self.state.keep(row.number, row.length)

    def _missed(self, group: list[Planned], error: RangeError) -> None:
        """Notes a failure, which counts when the server answers another request; else it stops."""
        self._failures.append((group, error))
        if self._answered and error.error_class in _DEFINITIVE:
            self._answer()
        elif len(self._failures) >= self._order.config.max_failures:
            self._stop()

    def _answer(self) -> None:
        self._answered = True
        for group, error in self._failures:
            for row in group:
                self._quarantine(row, error.error_class, str(error))
        self._failures.clear()

    def _settle(self) -> None:
        """At the end: failures that no later answer confirmed. When nothing came, it stops."""
        silent = any(error.error_class not in _DEFINITIVE for _, error in self._failures)
        if silent and not self._answered:
            self._stop()
        self._answer()

    def _stop(self) -> None:
        group, error = self._failures[-1]
        raise StepError(
            f"{group[0].path}: {error}; {len(self._failures)} requests in a row failed: wait until "
            "the server answers again, lower commoncrawl.concurrency, and run the same command"
        )

    def _quarantine(self, row: Planned, error_class: str, message: str) -> None:
        reason = {"error_class": error_class, "message": message[:300]}
        self._journal.append({"record": row.number, **reason})
        self.state.failed[row.number] = error_class, message[:300]

    def _tell(self) -> None:
        """Leaves the counts for whoever reports progress."""
        now = time.monotonic()
        if now - self._told > 1:
            self._told = now
            state = self.state
            counts = {"kept": state.kept, "failed": len(state.failed), "bytes": state.bytes}
            leave_progress(self._order.journal.with_suffix(".progress"), counts)


def _locked(path: Path) -> Journal:
    """The journal; a killed run's workers, which may outlive it for a moment, are waited for."""
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return Journal(path)
        except StepError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _state(journal: Path, parts: Parts) -> State:
    """Records whose bytes are in their place: after a loss of power a line may outlive them. A
    share that has ended is taken at its word: its bytes were durable before it said so."""
    state = State(ended=any(line.get("kind") == "end" for line in read_journal(journal)))
    for line in read_journal(journal):
        if "error_class" in line:
            state.failed[line["record"]] = line["error_class"], line["message"]
        elif "crc" in line and (state.ended or _crc(parts, line) == line["crc"]):
            state.keep(line["record"], line["length"])
    return state


def _crc(parts: Parts, line: dict[str, Any]) -> int:
    return zlib.crc32(parts.read(line["file"], line["at"], line["length"]))
