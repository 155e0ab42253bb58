"""Which URL comes next: a breadth-first schedule on disk, in an order no clock can change.

URLs are visited level by level, a level being (links from a seed, redirects followed). Within a
level the order is that of priority, then of a hash, so hosts are interleaved; a level's budgets
(`max_pages`, per host, per pattern) are applied when it opens, by that order. So they cut the same
set whatever the timing. The schedule lives in SQLite: memory does not grow with the frontier. It is
rebuilt from the known URLs and the journal whenever a crawl starts.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from etl.crawl.traps import url_pattern
from etl.crawl.urls import host_of

_WAITING, _DECIDED, _FLYING, _RESTING, _SKIPPED, _CUT = range(6)
_GRADES = 16  # of priority
_SCHEMA = """
CREATE TABLE urls (
    url TEXT PRIMARY KEY, host TEXT NOT NULL, depth INTEGER NOT NULL, hops INTEGER NOT NULL,
    rank INTEGER NOT NULL, state INTEGER NOT NULL, etag TEXT, last_modified TEXT, sha256 TEXT,
    pattern INTEGER NOT NULL, sitemap INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX turn ON urls (state, depth, hops, host, rank);
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A URL to decide, and what is known of its last body. `priority` lies in 0..1."""

    url: str
    host: str
    depth: int
    hops: int = 0
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None
    sitemap: bool = False
    priority: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """URLs decided in one snapshot: in all, of one host, of one pattern of URLs."""

    max_pages: int
    max_per_host: int = 1 << 60
    max_per_pattern: int = 1 << 60


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def _rank(url: str, priority: float) -> int:
    grade = _GRADES - 1 - min(int(priority * _GRADES), _GRADES - 1)
    return grade << 56 | _hash(url)


class Schedule:
    """The URLs of one snapshot: each is handed out at most once."""

    def __init__(self, path: Path, *, budgets: Budgets, max_depth: int, per_host: int) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;"
            + _SCHEMA
        )
        self._path, self._budgets, self._max_depth = path, budgets, max_depth
        self._per_host = per_host
        self.decided = 0
        self.flying = 0
        self._level = (0, 0)
        self._cut = 0
        self._hosts: deque[str] = deque()
        self._busy: Counter[str] = Counter()

    def know(self, visits: Iterable[Visit], *, due: bool) -> None:
        """Adds known URLs. One that is not due is visited only when a page links to it again."""
        self._insert(visits, _WAITING if due else _RESTING)

    def skip(self, visits: Iterable[Visit]) -> None:
        """Adds known URLs that this snapshot leaves alone, whoever links to them."""
        self._insert(visits, _SKIPPED)

    def _insert(self, visits: Iterable[Visit], state: int) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR IGNORE INTO urls VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, 0)",
            (
                (v.url, v.host, v.depth, _rank(v.url, v.priority), state, v.etag, v.last_modified,
                 v.sha256, _hash(url_pattern(v.url)))
                for v in visits
            ),
        )  # fmt: skip
        self._db.execute("COMMIT")

    def add(self, urls: Iterable[str], depth: int, hops: int = 0, *, sitemap: bool = False) -> None:
        """Adds found URLs at this level; one that is already waiting keeps the nearer level."""
        self._db.execute("BEGIN")
        self._db.executemany(
            f"""INSERT INTO urls VALUES (?, ?, ?, ?, ?, {_WAITING}, NULL, NULL, NULL, ?, ?)
            ON CONFLICT (url) DO UPDATE SET state = {_WAITING},
                depth = CASE WHEN state = {_RESTING} THEN excluded.depth
                        ELSE min(depth, excluded.depth) END,
                hops = CASE WHEN state = {_RESTING} OR excluded.depth < depth THEN excluded.hops
                       WHEN excluded.depth = depth THEN min(hops, excluded.hops) ELSE hops END
            WHERE state IN ({_WAITING}, {_RESTING})""",  # noqa: S608 - constants of this module
            (
                (url, host_of(url), depth, hops, _rank(url, 1.0), _hash(url_pattern(url)), sitemap)
                for url in urls
            ),
        )
        self._db.execute("COMMIT")

    def decide(self, url: str) -> None:
        """Marks a URL as decided, whether it was handed out here or by a crawl before."""
        row = self._db.execute("SELECT state, host FROM urls WHERE url = ?", (url,)).fetchone()
        if row is None:
            self.add((url,), 0)
        elif row[0] == _FLYING:
            self.flying -= 1
            self._busy[row[1]] -= 1
        self._db.execute(f"UPDATE urls SET state = {_DECIDED} WHERE url = ?", (url,))  # noqa: S608
        self.decided += 1

    def next(self) -> Visit | None:
        """The next URL of the current level from a host with room, or None for now.

        None with `flying == 0` means that the crawl is over.
        """
        while True:
            for _ in range(len(self._hosts)):
                host = self._hosts[0]
                self._hosts.rotate(-1)
                if self._busy[host] >= self._per_host:
                    continue
                visit = self._take(host)
                if visit is not None:
                    return visit
                self._hosts.pop()  # it was just rotated to the end
            if self.flying or not self._advance():
                return None

    def waiting(self) -> int:
        """URLs known and not decided, because a limit stopped the crawl or they rest."""
        return self._count(f"state IN ({_WAITING}, {_FLYING}, {_RESTING}, {_CUT})")

    def skipped(self) -> int:
        """URLs known and not due yet."""
        return self._count(f"state = {_SKIPPED}")

    def _count(self, where: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM urls WHERE {where}").fetchone()[0])  # noqa: S608

    def close(self) -> None:
        self._db.close()
        self._path.unlink(missing_ok=True)

    def _advance(self) -> bool:
        """Opens the nearest level that has URLs waiting and lies within the limits."""
        found = self._db.execute(
            f"SELECT depth, hops FROM urls WHERE state = {_WAITING} AND depth <= ? "  # noqa: S608
            "ORDER BY depth, hops LIMIT 1",
            (self._max_depth,),
        ).fetchone()
        left = self._budgets.max_pages - self.decided
        if found is None or left <= 0:
            return False
        self._level = (int(found[0]), int(found[1]))
        self._spend("host", self._budgets.max_per_host)
        self._spend("pattern", self._budgets.max_per_pattern)
        waiting = f"FROM urls WHERE state = {_WAITING} AND depth = ? AND hops = ?"
        cut = self._db.execute(
            f"SELECT rank {waiting} ORDER BY rank LIMIT 1 OFFSET ?",
            (*self._level, left),
        ).fetchone()
        self._cut = int(cut[0]) if cut else 1 << 62
        hosts = self._db.execute(
            f"SELECT DISTINCT host {waiting} AND rank < ? ORDER BY host",
            (*self._level, self._cut),
        )
        self._hosts = deque(row[0] for row in hosts)
        self._busy.clear()
        return True

    def _spend(self, column: str, budget: int) -> None:
        """Cuts what the level has over a budget of each value of `column`, the last in order."""
        over = self._db.execute(
            f"SELECT {column}, sum(state = {_DECIDED}) FROM urls WHERE state = {_DECIDED} "  # noqa: S608
            f"OR (state = {_WAITING} AND depth = ? AND hops = ?) "
            f"GROUP BY {column} HAVING count(*) > ?",
            (*self._level, budget),
        ).fetchall()
        self._db.executemany(
            f"UPDATE urls SET state = {_CUT} WHERE url IN (SELECT url FROM urls "  # noqa: S608
            f"WHERE state = {_WAITING} AND depth = ? AND hops = ? AND {column} = ? "
            "ORDER BY rank LIMIT -1 OFFSET ?)",
            ((*self._level, value, max(0, budget - spent)) for value, spent in over),
        )

    def _take(self, host: str) -> Visit | None:
        row = self._db.execute(
            "SELECT url, host, depth, hops, etag, last_modified, sha256, sitemap FROM urls "  # noqa: S608
            f"WHERE state = {_WAITING} AND depth = ? AND hops = ? AND host = ? AND rank < ? "
            "ORDER BY rank LIMIT 1",
            (*self._level, host, self._cut),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(f"UPDATE urls SET state = {_FLYING} WHERE url = ?", (row[0],))  # noqa: S608
        self.flying += 1
        self._busy[host] += 1
        *known, sitemap = row
        return replace(Visit(*known), sitemap=bool(sitemap))
