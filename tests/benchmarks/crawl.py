"""Crawling side by side: our worker against bare Scrapy that only fetches the same URLs.

A fast loopback host (asyncio, a process of its own) serves pages that link to each other. Ours
finds them by their links, obeys robots.txt, parses, journals and archives; bare Scrapy is handed
the list and throws the answers away. Delays are off, concurrency is the same. The rounds alternate.

    foundry bench crawl --pages 3000 --rounds 3
    foundry bench crawl --memory 10000 100000 1000000   # the scheduler's memory by frontier size
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_FANOUT = 20
_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "runs",
    "away",
    "from",
    "it",
    "once",
    "more",
]
_CONCURRENCY = 16

BARE = """
import sys
from scrapy.crawler import CrawlerProcess
import scrapy

class Bare(scrapy.Spider):
    name = "bare"
    async def start(self):
        for line in open(sys.argv[1]):
            yield scrapy.Request(line.strip(), callback=self.got, dont_filter=True)
    def got(self, response):
        pass

process = CrawlerProcess({
    "ROBOTSTXT_OBEY": False, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False,
    "CONCURRENT_REQUESTS": int(sys.argv[2]), "CONCURRENT_REQUESTS_PER_DOMAIN": int(sys.argv[2]),
    "DOWNLOAD_DELAY": 0, "COOKIES_ENABLED": False, "RETRY_ENABLED": False,
})
process.crawl(Bare)
process.start()
"""


def page(number: int, pages: int) -> bytes:
    """About 6 kB of text and the links of a tree with `_FANOUT` children a node."""
    children = range(number * _FANOUT + 1, min(pages, number * _FANOUT + 1 + _FANOUT))
    links = "".join(f'<li><a href="/page/{child}">page {child}</a></li>' for child in children)
    text = " ".join(_WORDS[(number + k) % len(_WORDS)] for k in range(1_000))
    return f"<html><title>{number}</title><body><ul>{links}</ul><p>{text}</p>".encode()


def serve(port: Any, pages: int) -> None:
    """Runs the host; puts its port into the queue `port`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                found = path.startswith("/page/")
                body = page(int(path.rpartition("/")[2]), pages) if found else b"none"
                status = b"200 OK" if found else b"404 Not Found"
                writer.write(
                    b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nContent-Length: "
                    + str(len(body)).encode() + b"\r\n\r\n" + body
                )  # fmt: skip
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def run_ours(seed: str, folder: Path, pages: int) -> float:
    from etl.crawl.config import CrawlConfig
    from etl.crawl.job import CrawlOrder, journal_path
    from etl.crawl.journal import read_journal

    config = CrawlConfig(
        contact="https://example.org/bot", delay_seconds=0, allow_private_addresses=True,
        concurrency=_CONCURRENCY, concurrency_per_host=_CONCURRENCY, max_pages=10 * pages,
        max_pages_per_host=10 * pages, max_pages_per_pattern=10 * pages,
    )  # fmt: skip
    (folder / "known").mkdir(parents=True)
    order = CrawlOrder(
        folder=str(folder), source="bench", snapshot="2026-01-01", seeds=(seed,),
        known=str(folder / "known"), run_hash="h", config=asdict(config),
    )  # fmt: skip
    path = folder / "order.json"
    order.write(path)
    seconds = _timed([sys.executable, "-m", "etl.crawl.worker", str(path)])
    fetched = sum(
        entry.get("verdict") == "fetched" for entry in read_journal(journal_path(folder, "bench"))
    )
    if fetched != pages:
        raise RuntimeError(f"{fetched} of {pages} pages were fetched")
    return seconds


def run_bare(urls: Path) -> float:
    return _timed([sys.executable, "-c", BARE, str(urls), str(_CONCURRENCY)])


def _timed(command: list[str]) -> float:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        errors = process.stderr.read() if process.stderr else ""
        if process.wait():
            raise RuntimeError(errors[-2000:])
    return time.monotonic() - started


def race(pages: int, rounds: int) -> dict[str, Any]:
    queue: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(queue, pages), daemon=True)
    server.start()
    try:
        root = f"http://127.0.0.1:{queue.get()}/page/"
        ours, bare = [], []
        with tempfile.TemporaryDirectory() as name:
            urls = Path(name, "urls.txt")
            urls.write_text("".join(f"{root}{number}\n" for number in range(pages)))
            for number in range(rounds):
                bare.append(run_bare(urls))
                ours.append(run_ours(f"{root}0", Path(name, f"round-{number}"), pages))
    finally:
        server.terminate()
    best = {"ours": pages / min(ours), "scrapy": pages / min(bare)}
    return {
        "pages": pages,
        "rounds": rounds,
        "pages_per_second": {name: round(rate, 1) for name, rate in best.items()},
        "ratio": round(best["ours"] / best["scrapy"], 2),
    }


_MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from etl.crawl.schedule import Budgets, Schedule, Visit
size = int(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    budgets = Budgets(max_pages=10**9)
    schedule = Schedule(Path(folder, "s"), budgets=budgets, max_depth=9, per_host=8)
    visits = (Visit(f"http://h{n % 100}.example/path/{n}", f"h{n % 100}.example", 0)
              for n in range(size))
    schedule.know(visits, due=True)
    for _ in range(1000):
        visit = schedule.next()
        schedule.decide(visit.url)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory(sizes: list[int]) -> dict[str, float]:
    """Peak resident megabytes of a process that schedules a frontier of so many URLs."""
    found = {}
    for size in sizes:
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(size)], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        found[str(size)] = round(float(done.stdout), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="URLS")
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    options = parser.parse_args()
    found = {"megabytes": memory(options.memory)} if options.memory else None
    print(json.dumps(found or race(options.pages, options.rounds)))


if __name__ == "__main__":
    main()
