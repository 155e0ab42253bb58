"""Many transfers, some at a time: neither files nor results pile up in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from etl.storage.location import Location

Item = TypeVar("Item")
Result = TypeVar("Result")
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of one file: its bytes, those that went over the wire, and how it was checked:
    by `sha256`, `crc32`, `md5`, or by its `size` where the server states no checksum."""

    place: Location
    size: int
    sent: int
    checked_by: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """Of a folder: files, their bytes, and the bytes that had to go over the wire."""

    files: int = 0
    size: int = 0
    sent: int = 0

    def __add__(self, one: Transfer) -> Transferred:
        return Transferred(self.files + 1, self.size + one.size, self.sent + one.sent)


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """`work` of each item, in their order, by `workers` threads; the first error ends it."""
    source = iter(items)
    pool = ThreadPoolExecutor(workers)
    try:
        while batch := list(islice(source, _AT_ONCE)):
            yield from pool.map(work, batch)
    finally:
        pool.shutdown(cancel_futures=True)
