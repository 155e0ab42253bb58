"""Range fetching side by side: ours, a bare asyncio client, one request after another.

`python tests/benchmarks/ranges.py [--records N] [--rounds N]` generates an archive, serves it from
a process of its own and lets each fetch the same records, in turn, from the same server. Prints one
JSON object: records a second (the best of the rounds), ratios, CPU time, and what coalescing saves;
for a server that answers at once (`near`) and one that takes 50 ms (`far`), as over the internet.

- `ours`: a share with everything: retries, strict answers, digests, WARC places, journal.
- `ours_tasks`: two such shares in two processes, as Spark's tasks are.
- `bare_asyncio`: aiohttp, the same number in flight; bodies are read and dropped, nothing checked.
- `sequential`: urllib3, one connection, one request after another; nothing checked.
- `ceiling`: raw sockets with the same number in flight, no HTTP parsing: what the server can give.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.fetch import ShareOrder
from etl.commoncrawl.job import fetch_share
from etl.commoncrawl.loopback import build_archive
from etl.commoncrawl.plan import PLAN_COLUMNS

_CONCURRENCY = 32
Row = dict[str, Any]


@contextmanager
def _server(folder: Path, fault: str) -> Iterator[int]:
    command = [sys.executable, "-m", "etl.commoncrawl.loopback", str(folder), fault]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def _order(folder: Path, rows: list[Row], share: int, config: RangeConfig) -> ShareOrder:
    shutil.rmtree(folder, ignore_errors=True)
    plan = folder / "_work" / "plan" / f"share={share}"
    plan.mkdir(parents=True)
    columns = {name: [row.get(name) for row in rows] for name in PLAN_COLUMNS}
    pq.write_table(pa.table(columns), plan / "part.parquet")
    return ShareOrder(out=str(folder), share=share, config=config, max_record_bytes=10_000_000)


def _fetch(order: ShareOrder, expected: int) -> int:
    counts = fetch_share(order)
    if counts["kept"] != expected:
        raise SystemExit(f"{counts['kept']} of {expected} records: {counts}")
    return counts["requests"]


def _range(row: Row) -> str:
    first = row["warc_record_offset"]
    return f"bytes={first}-{first + row['warc_record_length'] - 1}"


async def _bare(base: str, rows: list[Row]) -> None:
    import aiohttp

    left = iter(rows)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def work() -> None:
            for row in left:
                headers = {"Range": _range(row)}
                async with session.get(base + row["warc_filename"], headers=headers) as answer:
                    await answer.read()

        await asyncio.gather(*[work() for _ in range(_CONCURRENCY)])


def _sequential(base: str, rows: list[Row]) -> None:
    import urllib3

    pool = urllib3.PoolManager()
    for row in rows:
        pool.request("GET", base + row["warc_filename"], headers={"Range": _range(row)}).data  # noqa: B018


async def _ceiling(port: int, rows: list[Row]) -> None:
    left = iter(rows)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 18)
        for row in left:
            head = f"GET /{row['warc_filename']} HTTP/1.1\r\nRange: {_range(row)}\r\n\r\n"
            writer.write(head.encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(row["warc_record_length"])
        writer.close()

    await asyncio.gather(*[work() for _ in range(_CONCURRENCY)])


def run(records: int, rounds: int) -> dict[str, Any]:
    """Every peer `rounds` times in turn; the best round of each counts."""
    with tempfile.TemporaryDirectory(prefix="ranges-") as name:
        root = Path(name)
        archive = build_archive(root / "archive", 20261121, pages=2_000, files=8)
        pages = [row for row in archive.rows if row["fetch_status"] == 200]
        pages.sort(key=lambda row: (row["warc_filename"], row["warc_record_offset"]))
        rows = (pages * (records // len(pages) + 1))[:records]
        found: dict[str, Any] = {"concurrency": _CONCURRENCY}
        for distance, fault, count in (("near", "", records), ("far", "slow", records // 4)):
            with _server(archive.root, fault) as port:
                found[distance] = _measure(root, rows[:count], port, rounds)
        return found


def _measure(root: Path, rows: list[Row], port: int, rounds: int) -> dict[str, Any]:
    base = f"http://127.0.0.1:{port}/"
    half = RangeConfig(
        base_url=base, allow_private_addresses=True, shares=2, concurrency=_CONCURRENCY, gap_bytes=0
    )
    best: dict[str, float] = {}  # seconds a record
    cpu: dict[str, float] = {}
    counts = {"sequential": len(rows) // 10}
    requests: dict[str, int] = {}

    def timed(peer: str, work: Callable[[], Any]) -> None:
        started, cpu_before = time.perf_counter(), time.process_time()
        work()
        count = counts.get(peer, len(rows))
        spent = (time.process_time() - cpu_before) / count
        cpu[peer] = min(cpu.get(peer, spent), spent)
        seconds = (time.perf_counter() - started) / count
        best[peer] = min(best.get(peer, seconds), seconds)

    def ours(peer: str, **changes: int) -> None:
        config = RangeConfig(
            base_url=base, allow_private_addresses=True, shares=1, concurrency=_CONCURRENCY,
            **changes,
        )  # fmt: skip
        order = _order(root / "out", rows, 0, config)
        timed(peer, lambda: requests.update({peer: _fetch(order, len(rows))}))

    halves = [rows[0::2], rows[1::2]]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(time.sleep, [0.5, 0.5])  # started, as Spark's workers are
        for _ in range(rounds):
            ours("ours", gap_bytes=0)
            for gap in (4_096, 65_536):
                ours(f"ours_gap_{gap}", gap_bytes=gap)
            timed("bare_asyncio", lambda: asyncio.run(_bare(base, rows)))
            orders = [
                (_order(root / f"out-{n}", mine, n, half), len(mine))
                for n, mine in enumerate(halves)
            ]
            timed("ours_tasks", partial(pool.starmap, _fetch, orders))
            timed("sequential", lambda: _sequential(base, rows[: counts["sequential"]]))
            timed("ceiling", lambda: asyncio.run(_ceiling(port, rows)))
    speed = {peer: round(1 / seconds) for peer, seconds in best.items()}
    return {
        "records": len(rows),
        "bytes": sum(row["warc_record_length"] for row in rows),
        "records_per_second": speed,
        "cpu_microseconds_per_record": {
            peer: round(1e6 * spent) for peer, spent in cpu.items() if peer != "ours_tasks"
        },
        "requests": requests,
        "ours_to_sequential": round(speed["ours"] / speed["sequential"], 2),
        "ours_to_bare_asyncio": round(speed["ours"] / speed["bare_asyncio"], 2),
        "tasks_to_ours": round(speed["ours_tasks"] / speed["ours"], 2),
        "best_to_ceiling": round(
            max(v for k, v in speed.items() if k.startswith("ours")) / speed["ceiling"], 2
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    args = parser.parse_args()
    print(json.dumps(run(args.records, args.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
