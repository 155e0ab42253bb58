"""The pipeline scored against the sample site, which knows the truth about each of its pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.sample_site import request_log
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    FETCHES,
    FILTERED,
    QUARANTINE,
    REJECTED,
)

if TYPE_CHECKING:
    from etl.sample_site import Page, Truth
    from etl.tables.store import Store
    from orchestration.profile import Profile

Truths = Mapping[str, "Truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number against what the project promises; `at_least` says on which side it must lie."""

    name: str
    value: float
    limit: float
    at_least: bool
    of: int

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        mark = "ok  " if self.holds else "MISS"
        sign = ">=" if self.at_least else "<="
        return f"  {mark} {self.name}: {self.value:.4g} ({sign} {self.limit:g}; of {self.of})"


@dataclass(slots=True, kw_only=True)
class Scores:
    """The scores of a demo, and what became of the pages of its first snapshot."""

    scores: list[Score] = field(default_factory=list)
    pages: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0

    @property
    def accepted(self) -> bool:
        return all(score.holds for score in self.scores)

    def lines(self) -> list[str]:
        return [score.line() for score in self.scores]

    def counts(self) -> dict[str, Any]:
        """As a `JobReport` has them."""
        return {
            "rows_in": self.pages,
            "kept": self.kept,
            "rejected": self.rejected,
            "quarantined": self.quarantined,
        }

    def as_dict(self) -> dict[str, Any]:
        return {score.name: asdict(score) | {"holds": score.holds} for score in self.scores}


def score_demo(store: Store, profile: Profile, snapshots: Sequence[str]) -> Scores:
    """Scores day 0 and day 1 of the sample site, whose snapshots are `snapshots`.

    Everything is brought into the driver: the site is small by construction.
    """
    from etl.sample_site import build_site

    site = profile.sample_site
    days = [build_site(site.seed, day, site.pages, site.port).by_url() for day in (0, 1)]
    truths = [{url: page.truth for url, page in pages.items()} for pages in days]
    first, second = snapshots
    found = _first_counts(store, first)
    folder = profile.home_path / "sample_site"
    found.scores = [
        *_crawl_scores(store, first, truths[0], found),
        _robots(folder, truths),
        _languages(store, {first: truths[0], second: truths[1]}),
        *_duplicates(store, first, truths[0]),
        *_personal_data(store, {first: truths[0], second: truths[1]}),
        _licences(store, truths[1], profile),
        _second_day(store, second, days[0], days[1]),
    ]
    return found


def _share(name: str, hits: int, of: int, limit: float, *, at_least: bool = True) -> Score:
    """A share of nothing is as good as can be."""
    value = hits / of if of else float(at_least)
    return Score(name=name, value=value, limit=limit, at_least=at_least, of=of)


def _none(name: str, found: int, of: int) -> Score:
    return Score(name=name, value=found, limit=0, at_least=False, of=of)


def _rows(store: Store, spec: Any, snapshot: str, *columns: str) -> list[Any]:
    frame = store.read(spec)
    return frame.where(frame["snapshot"] == snapshot).select(*columns).collect()


def _first_counts(store: Store, snapshot: str) -> Scores:
    rules = Counter(row["rule"] for row in _rows(store, REJECTED, snapshot, "rule"))
    fetched = [r for r in _rows(store, FETCHES, snapshot, "verdict") if r["verdict"] == "fetched"]
    return Scores(
        pages=len(fetched),
        kept=len(_rows(store, DEDUPLICATED, snapshot, "doc_id")),
        rejected=dict(sorted(rules.items())),
        quarantined=len(_rows(store, QUARANTINE, snapshot, "item_id")),
    )


def _crawl_scores(store: Store, snapshot: str, truths: Truths, found: Scores) -> list[Score]:
    verdicts = {
        row["url"]: row["verdict"] for row in _rows(store, FETCHES, snapshot, "url", "verdict")
    }
    linked = {url: truth for url, truth in truths.items() if truth.linked}
    right = sum(verdicts.get(url) == truth.expectation for url, truth in linked.items())
    placed = found.kept + sum(found.rejected.values()) + found.quarantined
    return [
        _share("pages visited as they should be", right, len(linked), 0.98),
        _none("pages lost or counted twice", abs(found.pages - placed), found.pages),
    ]


def _robots(folder: Path, truths: Sequence[Truths]) -> Score:
    """From the site's own log: requests for what robots.txt forbids."""
    requests = violations = 0
    for day, known in enumerate(truths):
        forbidden = {(t.host, t.path) for t in known.values() if not t.allowed_by_robots}
        log = request_log(folder, day)
        for line in log.read_text().splitlines() if log.exists() else ():
            request = json.loads(line)
            requests += 1
            violations += (request["host"], request["path"]) in forbidden
    return _none("robots.txt violations", violations, requests)


def _languages(store: Store, truths: Mapping[str, Truths]) -> Score:
    pairs = [
        (row["language"], known[row["url"]].language)
        for snapshot, known in truths.items()
        for row in _rows(store, DEDUPLICATED, snapshot, "url", "language")
        if row["url"] in known
    ]
    right = sum(found == truth for found, truth in pairs)
    return _share("language right", right, len(pairs), 0.98)


def _duplicates(store: Store, snapshot: str, truths: Truths) -> list[Score]:
    url_of = {
        row["doc_id"]: row["url"] for row in _rows(store, FILTERED, snapshot, "doc_id", "url")
    }
    survivor = {
        url_of[row["doc_id"]]: url_of[row["survivor"]]
        for row in _rows(store, CLUSTERS, snapshot, "doc_id", "survivor")
        if row["doc_id"] in url_of and row["survivor"] in url_of
    }
    group = {url: truth.duplicate_of or url for url, truth in truths.items()}
    passed = set(url_of.values())
    planted = [
        (url, str(truth.duplicate_of))
        for url, truth in truths.items()
        if truth.near and url in passed and truth.duplicate_of in passed
    ]
    found = sum(survivor.get(a, a) == survivor.get(b, b) for a, b in planted)
    merged = [(url, kept) for url, kept in survivor.items() if url != kept]
    wrong = sum(group.get(url) != group.get(kept) for url, kept in merged)
    return [
        _share("near duplicates found", found, len(planted), 0.95),
        _share("false merges", wrong, len(merged), 0.01, at_least=False),
    ]


def _personal_data(store: Store, truths: Mapping[str, Truths]) -> list[Score]:
    """Values that were in the text before masking: those gone after it, and those left alone."""
    after = {
        row["doc_id"]: row["text"] for row in store.read(CORPUS).select("doc_id", "text").collect()
    }
    planted: list[bool] = []
    harmless: list[bool] = []
    for snapshot, known in truths.items():
        for row in _rows(store, DEDUPLICATED, snapshot, "doc_id", "url", "text"):
            truth, text = known.get(row["url"]), after.get(row["doc_id"])
            if truth is None or text is None:
                continue
            planted += _still_there(truth.pii, row["text"], text)
            harmless += _still_there(truth.hard_negatives, row["text"], text)
    return [
        _share("personal data masked", planted.count(False), len(planted), 0.95),
        _share("harmless numbers left alone", harmless.count(True), len(harmless), 0.9),
    ]


def _still_there(values: Iterable[tuple[str, str]], before: str, after: str) -> list[bool]:
    return [value in after for _, value in values if value in before]


def _licences(store: Store, truths: Truths, profile: Profile) -> Score:
    """By the site's own truth, not by what extraction read."""
    policy, rows = profile.policy(), store.read(CORPUS).select("url").collect()
    stated = [truths[row["url"]].licence for row in rows if row["url"] in truths]
    breaches = sum(
        policy.decide(licence, source=profile.source).verdict != "allow" for licence in stated
    )
    return _none("documents with a forbidden licence", breaches, len(rows))


def _second_day(
    store: Store, snapshot: str, before: Mapping[str, Page], after: Mapping[str, Page]
) -> Score:
    """Pages downloaded and processed again although their bytes are the same."""
    rows = _rows(store, FETCHES, snapshot, "url", "verdict")
    fetched = [row["url"] for row in rows if row["verdict"] == "fetched"]
    same = sum(
        url in before and url in after and before[url].body == after[url].body for url in fetched
    )
    return _none("unchanged pages taken for new", same, len(fetched))
