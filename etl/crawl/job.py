"""The state of one crawl process: what it was asked for, its WARC, journal and schedule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etl.crawl.config import CrawlConfig
from etl.crawl.journal import Journal, read_journal
from etl.crawl.schedule import Budgets, Schedule, Visit
from etl.crawl.urls import host_of
from etl.crawl.warc import WarcWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlOrder:
    """What the parent process asks for, handed over as a JSON file. `seeds` are canonical."""

    folder: str
    source: str
    snapshot: str
    seeds: tuple[str, ...]
    known: str
    run_hash: str
    config: dict[str, Any]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> CrawlOrder:
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "seeds": tuple(values["seeds"])})

    def crawl_config(self) -> CrawlConfig:
        lists = {k: tuple(v) for k, v in self.config.items() if isinstance(v, list)}
        return CrawlConfig(**{**self.config, **lists})


def journal_path(folder: Path, source: str) -> Path:
    return folder / f"{source}.journal.jsonl"


class CrawlJob:
    """Opens (or resumes) the crawl that an order describes."""

    def __init__(self, order: CrawlOrder) -> None:
        self.config = order.crawl_config()
        self.source, self.snapshot, self.run_hash = order.source, order.snapshot, order.run_hash
        self.hosts = frozenset([*map(host_of, order.seeds), *self.config.allowed_hosts])
        folder = Path(order.folder)
        path = journal_path(folder, order.source)
        self.journal = Journal(path)
        info = (("format", "WARC File Format 1.1"), ("http-header-user-agent", self.config.header),
                ("robots", "obey"), ("isPartOf", order.snapshot))  # fmt: skip
        self.warc = WarcWriter(
            folder, order.source, info, self.config.warc_max_bytes, self.journal.last_place
        )
        self.schedule = Schedule(
            folder / f"{order.source}.schedule.sqlite",
            budgets=Budgets(
                max_pages=self.config.max_pages,
                max_per_host=self.config.max_pages_per_host,
                max_per_pattern=self.config.max_pages_per_pattern,
            ),
            max_depth=self.config.max_depth,
            per_host=2 * self.config.concurrency_per_host,
        )
        self._load(order, path)

    def _load(self, order: CrawlOrder, path: Path) -> None:
        known, schedule = Path(order.known), self.schedule
        schedule.skip(visit for visit, state in known_visits(known) if state == "skipped")
        for state in ("due", "resting"):
            schedule.know(
                (visit for visit, found in known_visits(known) if found == state),
                due=state == "due",
            )
        schedule.add(order.seeds, 0)
        for entry in read_journal(path):
            if entry["kind"] == "fetch":
                schedule.decide(entry["url"])
                self.grow(entry)
            elif entry["kind"] == "sitemap":
                schedule.add((entry["url"],), 0, 1, sitemap=True)

    def grow(self, entry: dict[str, Any]) -> None:
        """Schedules what a decided URL (its line of the journal) leads to."""
        depth = entry["depth"]
        self.schedule.add(entry.get("outlinks", ()), depth + 1)
        self.schedule.add(entry.get("sitemaps", ()), depth, entry["hops"] + 1, sitemap=True)
        if entry.get("follow"):
            self.schedule.add((entry["follow"],), depth, entry["hops"] + 1)

    def found_sitemaps(self, urls: Iterable[str]) -> None:
        """Sitemaps that a robots.txt names: visited after the seeds, before what they link to."""
        for url in urls:
            self.journal.append({"kind": "sitemap", "url": url})
            self.schedule.add((url,), 0, 1, sitemap=True)

    def finish(self) -> None:
        """Closes a crawl that has nothing left to visit."""
        self.journal.append(
            {
                "kind": "end",
                "run_hash": self.run_hash,
                "decided": self.schedule.decided,
                "waiting": self.schedule.waiting(),
                "skipped": self.schedule.skipped(),
            }
        )

    def close(self) -> None:
        self.warc.close()
        self.journal.close()
        self.schedule.close()


def known_visits(folder: Path) -> Iterator[tuple[Visit, str]]:
    """The frontier as the parent wrote it (JSON lines): each visit, and whether it is `due`,
    `resting` (failed too often) or `skipped` (not due yet)."""
    for path in sorted(folder.glob("*.json")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                visit = Visit(
                    row["url"], row["host"], row["depth"], 0, row.get("etag"),
                    row.get("last_modified"), row.get("content_sha256"),
                    priority=row.get("priority", 1.0),
                )  # fmt: skip
                yield visit, row.get("turn", "due")
