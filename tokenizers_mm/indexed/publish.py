"""From staged parts to a published dataset: files are renamed into place, the manifest last."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StepError
from schemas.manifest import IndexedDatasetManifest, ShardEntry
from tokenizers_mm.indexed.files import RowGroups, write_atomically
from tokenizers_mm.indexed.format import (
    DROPPED,
    DROPPED_SCHEMA,
    MANIFEST,
    SHARD_SUFFIXES,
    beside,
)
from tokenizers_mm.indexed.writer import ShardWriter

_SHARD_FILE = r"(-\d{5,})?(\.bin|\.idx|\.docs\.parquet)|\.dropped\.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a task reports of a shard: its staged name, its counts."""

    shard: int
    part: str
    entry: ShardEntry
    bytes_in: int
    rejected: dict[str, int]
    quarantined: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Part:
        entry = ShardEntry.model_validate_json(row["entry"])
        return cls(**{**row, "entry": entry, "rejected": json.loads(row["rejected"])})


def dataset_files(prefix: Path) -> list[Path]:
    """Every shard file of `prefix` on the disk, listed in its manifest or not."""
    pattern = re.compile(re.escape(prefix.name) + f"(?:{_SHARD_FILE})")
    if not prefix.parent.is_dir():
        return []
    return sorted(p for p in prefix.parent.iterdir() if pattern.fullmatch(p.name))


def leftovers(prefix: Path) -> list[Path]:
    """Staging folders of runs that were killed."""
    return sorted(prefix.parent.glob(f".{_glob_escaped(prefix.name)}.staging-*"))


def _glob_escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


class Staging:
    """A folder beside the dataset, gone when the block ends, however it ends.

    A killed run leaves it; the next run of the same prefix removes it. Two runs of one prefix at a
    time are not supported: the later one takes over.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.folder = prefix.with_name(f".{prefix.name}.staging-{uuid.uuid4().hex[:12]}")

    def __enter__(self) -> Staging:
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        for folder in leftovers(self.prefix):
            shutil.rmtree(folder)
        self.folder.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def assemble(self, parts: list[Part], dtype: str, *, single: bool) -> list[ShardEntry]:
        """The staged shards under their final names, in order: PREFIX, or PREFIX-NNNNN.

        A shard that no document fell into is not written, and numbers have no gaps.
        """
        parts = sorted(parts, key=lambda part: part.shard)
        if len({part.shard for part in parts}) != len(parts):
            raise StepError("tokenize: a shard was written by two tasks; report this as a bug")
        self._merge_dropped(parts)
        if single:
            return [
                self._renamed(part, self.prefix.name) for part in parts or [self._nothing(dtype)]
            ]
        filled = [part for part in parts if part.entry.documents]
        return [
            self._renamed(part, f"{self.prefix.name}-{number:05d}")
            for number, part in enumerate(filled)
        ]

    def publish(self, entries: list[ShardEntry], manifest: IndexedDatasetManifest) -> None:
        """Moves the files into place. Until the manifest is written there is no dataset."""
        marker = beside(self.prefix, MANIFEST)
        marker.unlink(missing_ok=True)
        names = {entry.name + suffix for entry in entries for suffix in SHARD_SUFFIXES}
        names |= {path.name for path in self.folder.glob("*" + DROPPED) if self._is_final(path)}
        for stale in dataset_files(self.prefix):
            if stale.name not in names:
                stale.unlink()
        for name in sorted(names):
            (self.folder / name).replace(self.prefix.with_name(name))
        write_atomically(marker, manifest.to_text().encode())

    def _is_final(self, path: Path) -> bool:
        return path.name == self.prefix.name + DROPPED

    def _renamed(self, part: Part, name: str) -> ShardEntry:
        for suffix in SHARD_SUFFIXES:
            (self.folder / (part.part + suffix)).rename(self.folder / (name + suffix))
        return part.entry.model_copy(update={"name": name})

    def _nothing(self, dtype: str) -> Part:
        """The single shard of an input without rows, for which no task ran."""
        with ShardWriter(self.folder / "nothing", dtype) as writer:
            entry = writer.finish()
        return Part(shard=0, part="nothing", entry=entry, bytes_in=0, rejected={}, quarantined=0)

    def _merge_dropped(self, parts: list[Part]) -> None:
        """PREFIX.dropped.parquet, when a row was rejected or quarantined."""
        staged = [self.folder / (part.part + DROPPED) for part in parts]
        staged = [path for path in staged if path.exists()]
        if not staged:
            return
        merged = RowGroups(self.folder / (self.prefix.name + DROPPED), DROPPED_SCHEMA)
        for path in staged:
            for batch in _batches(path):
                merged.append(pa.Table.from_batches([batch]))
        merged.close()


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as table:
        yield from table.iter_batches()
