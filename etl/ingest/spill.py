"""A join by key in bounded memory: records on disk by the hash of their key, then part by part."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from schemas.errors import StepError

_PARTS, _SPLIT, _LEVELS = 256, 64, 3


class Spill:
    """Records with an integer key, given back as groups of one key in an order of its own.

    A part larger than 8 times `part_bytes` is split again before it is read, so that memory follows
    the largest group, not the input; of one group at most `group_bytes` are held.
    """

    def __init__(self, total_bytes: int, part_bytes: int, group_bytes: int) -> None:
        self._part_bytes, self._group_bytes = part_bytes, group_bytes
        self._count = max(1, min(_PARTS, -(-total_bytes // part_bytes)))
        self.folder = Path(tempfile.mkdtemp(prefix="spill"))
        self._files: list[IO[str] | None] = [None] * self._count

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, key: int, record: dict[str, Any]) -> None:
        part = key % self._count
        try:
            file = self._files[part]
            if file is None:
                path = self.folder / f"part-{part:03}"
                file = self._files[part] = path.open("w", encoding="utf-8")
            file.write(json.dumps([key, record]) + "\n")
        except OSError as error:
            raise StepError(
                f"{self.folder}: {error.strerror}; posts are joined on this disk: make room, or "
                "set TMPDIR to a larger one, then run again"
            ) from None

    def groups(self) -> Iterator[tuple[int, list[dict[str, Any]], int]]:
        """(key, records in the order they came, how many of them were too much to hold)."""
        self._shut()
        for part in range(self._count):
            path = self.folder / f"part-{part:03}"
            if path.exists():
                yield from self._groups(path, self._count, 0)

    def _groups(
        self, path: Path, divisor: int, level: int
    ) -> Iterator[tuple[int, list[dict[str, Any]], int]]:
        if path.stat().st_size > 8 * self._part_bytes and level < _LEVELS:
            for part in self._split(path, divisor):
                yield from self._groups(part, divisor * _SPLIT, level + 1)
            return
        groups: dict[int, list[dict[str, Any]]] = {}
        sizes: dict[int, int] = {}
        dropped: dict[int, int] = {}
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key, record = json.loads(line)
                sizes[key] = sizes.get(key, 0) + len(line)
                if sizes[key] > self._group_bytes:
                    dropped[key] = dropped.get(key, 0) + 1
                else:
                    groups.setdefault(key, []).append(record)
        path.unlink()
        for key in sorted(sizes):
            yield key, groups.pop(key, []), dropped.get(key, 0)

    def _split(self, path: Path, divisor: int) -> list[Path]:
        names = [path.with_name(f"{path.name}-{part:02}") for part in range(_SPLIT)]
        files = [name.open("w", encoding="utf-8") for name in names]
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key = int(line[1 : line.index(",")])
                files[key // divisor % _SPLIT].write(line)
        for file in files:
            file.close()
        path.unlink()
        return names

    def _shut(self) -> None:
        for file in self._files:
            if file is not None:
                file.close()
