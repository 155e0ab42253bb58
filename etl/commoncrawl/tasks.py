"""Shares of work as Spark tasks, one event loop each, and their progress on stderr.

Why tasks and not one process: with the same number in flight, two are 1.1 times as fast as one on
two cores that the server shares (tests/benchmarks/ranges.py: fetching is bound by the client's CPU
near the server and by the requests in flight far from it), Spark is up already, since it has chosen
the records, and a cluster's executors share the work. They write to a folder that all of them see.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from schemas.errors import FoundryError, StepError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Counts = dict[str, int]
_TELL_SECONDS = 2.0


def run_shares(spark: SparkSession, shares: int, work: Callable[[int], Counts]) -> Counts:
    """Runs `work(share)` for each share, and adds up what they count.

    A share that fails does not stop the others. Raises `StepError` with the first failure after
    all have ended.
    """

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            told = [_outcome(work, share) for share in batch.column(0).to_pylist()]
            yield pa.RecordBatch.from_pydict({"told": pa.array(told, pa.string())})

    rows = spark.range(0, shares, 1, shares).mapInArrow(task, "told string").collect()
    total: Counts = {}
    failures: list[str] = []
    for row in rows:
        told = json.loads(row["told"])
        if isinstance(told, str):
            failures.append(told)
            continue
        for name, count in told.items():
            total[name] = total.get(name, 0) + count
    if failures:
        more = f" (and {len(failures) - 1} shares more)" if len(failures) > 1 else ""
        raise StepError(failures[0] + more)
    return total


def _outcome(work: Callable[[int], Counts], share: int) -> str:
    try:
        return json.dumps(work(share))
    except FoundryError as error:
        return json.dumps(str(error))


def leave_progress(path: Path, counts: Counts) -> None:
    """Counts of a share so far, for `telling_progress`."""
    path.write_text(json.dumps(counts))


@contextmanager
def telling_progress(folder: Path, total: int, what: str) -> Iterator[None]:
    """Says every other second on stderr how far the shares have come."""
    ended = threading.Event()

    def tell() -> None:
        started, said = time.monotonic(), ""
        while not ended.wait(_TELL_SECONDS):
            counts = _progress(folder)
            line = (
                f"{counts.get('kept', 0):,} of {total:,} {what}, {counts.get('bytes', 0):,} bytes"
            )
            if counts.get("failed"):
                line += f", {counts['failed']:,} failed"
            if line != said:
                said = line
                sys.stderr.write(f"commoncrawl: {line}, {time.monotonic() - started:.0f} s\n")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _progress(folder: Path) -> Counts:
    total: Counts = {}
    for path in folder.glob("*.progress"):
        try:
            counts = json.loads(path.read_text())
        except (OSError, ValueError):
            continue  # just being written
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total
