"""The state of one crawl process: what it was asked for, its WARC, journal and schedule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etl.crawl.config import CrawlConfig
from etl.crawl.journal import Journal, read_journal
from etl.crawl.schedule import Schedule, Visit
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
            max_pages=self.config.max_pages,
            max_depth=self.config.max_depth,
            per_host=2 * self.config.concurrency_per_host,
        )
        self._load(order, path)

    def _load(self, order: CrawlOrder, path: Path) -> None:
        known = Path(order.known)
        limit = self.config.max_failures
        self.schedule.know(known_visits(known, limit, due=True), due=True)
        self.schedule.know(known_visits(known, limit, due=False), due=False)
        self.schedule.add(order.seeds, 0)
        for entry in read_journal(path):
            if entry["kind"] != "fetch":
                continue
            self.schedule.decide(entry["url"])
            self.schedule.add(entry.get("outlinks", ()), entry["depth"] + 1)
            if entry.get("follow"):
                self.schedule.add((entry["follow"],), entry["depth"], entry["hops"] + 1)

    def finish(self) -> None:
        """Closes a crawl that has nothing left to visit."""
        self.journal.append(
            {
                "kind": "end",
                "run_hash": self.run_hash,
                "decided": self.schedule.decided,
                "waiting": self.schedule.waiting(),
            }
        )

    def close(self) -> None:
        self.warc.close()
        self.journal.close()
        self.schedule.close()


def known_visits(folder: Path, max_failures: int, *, due: bool) -> Iterator[Visit]:
    """The frontier as the parent wrote it (JSON lines), as visits that are due or that rest."""
    for path in sorted(folder.glob("*.json")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if (row["failures"] < max_failures) == due:
                    yield Visit(
                        row["url"], row["host"], row["depth"], 0,
                        row.get("etag"), row.get("last_modified"), row.get("content_sha256"),
                    )  # fmt: skip
