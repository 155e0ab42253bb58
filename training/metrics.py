"""`metrics.jsonl`: one JSON object a line, written whole, read by offset, never truncated.

A run that is interrupted repeats the iterations after its last checkpoint; `curve` keeps the
latest line of each iteration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MAX_READ = 8 << 20


class JsonLinesWriter:
    """Appends objects to a file. Each line is one `write` call on an unbuffered descriptor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._end_torn_line()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, row: Mapping[str, Any]) -> None:
        """Numbers that are not finite become null: JSON has no other word for them."""
        if self._descriptor is None:
            raise RuntimeError(f"{self._path}: not open")
        line = json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False)
        data = memoryview(line.encode() + b"\n")
        while data:  # a full disk can take a part of the line
            data = data[os.write(self._descriptor, data) :]

    def _end_torn_line(self) -> None:
        """A writer killed in mid-line left no newline: end its line so that ours is whole."""
        assert self._descriptor is not None  # noqa: S101
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def read_new(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The rows written since `offset` (bytes) and the offset to ask from next time.

    Only whole lines are consumed: a line in the making is left for the next call. A file that is
    not there yet has no rows. A torn line of a killed writer is skipped. At most 8 MiB are read at
    once; call again until the offset stands still.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(_MAX_READ)
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    rows: list[dict[str, Any]] = []
    for line in whole.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows, offset + len(whole)


def read_all(path: Path) -> list[dict[str, Any]]:
    """Every row of the file."""
    rows, offset = read_new(path)
    while True:
        more, following = read_new(path, offset)
        if following == offset:
            return rows
        rows, offset = rows + more, following


def curve(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row an iteration, in order: the last written where an iteration was repeated."""
    latest = {int(row["iteration"]): dict(row) for row in rows if "iteration" in row}
    return [latest[iteration] for iteration in sorted(latest)]
