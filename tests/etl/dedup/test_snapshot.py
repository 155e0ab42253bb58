from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from etl.dedup.config import DedupConfig
from etl.dedup.snapshot import dedup_snapshot
from schemas.identity import doc_id, sha256_hex, uri_id
from schemas.tables import (
    CLUSTERS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FILTERED,
    REJECTED,
    SIGNATURES,
)

if TYPE_CHECKING:
    from etl.tables.store import Store

pytestmark = pytest.mark.spark
CONFIG = DedupConfig()
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
S1, S2, S3 = "2026-01-01", "2026-01-02", "2026-01-03"


def identity(page: str, text: str) -> str:
    return doc_id(uri_id("site", page), sha256_hex(text.encode()))


@dataclass
class Crawl:
    """Writes snapshots of pages {name: text} into DOCUMENTS, FILTERED and FETCHES."""

    store: Store
    names: dict[str, str] = field(default_factory=dict)  # doc_id -> "page"

    def write(
        self,
        snapshot: str,
        pages: dict[str, str],
        gone: tuple[str, ...] = (),
        bad: tuple[str, ...] = (),
    ) -> None:
        from etl.tables.store import spark_schema

        rows = [self._document(snapshot, page, text) for page, text in pages.items()]
        kept = [{**row, "scores": []} for row in rows if row["title"] not in bad]
        fetches = [self._fetch(snapshot, page) for page in gone]
        for spec, found in ((DOCUMENTS, rows), (FILTERED, kept), (FETCHES, fetches)):
            frame = self.store.spark.createDataFrame(found, spark_schema(spec))
            self.store.replace(spec, frame, {"snapshot": snapshot})

    def _document(self, snapshot: str, page: str, text: str) -> dict[str, Any]:
        row = dict.fromkeys(DOCUMENTS.column_names)
        self.names[identity(page, text)] = page
        return row | {
            "snapshot": snapshot,
            "doc_id": identity(page, text),
            "uri_id": uri_id("site", page),
            "source": "site",
            "url": f"http://site.test/{page}",
            "title": page,
            "text": text,
            "language": "eng",
            "language_score": 0.9,
            "licence": "CC0-1.0",
            "content_sha256": sha256_hex(text.encode()),
            "text_sha256": sha256_hex(text.encode()),
            "fetched_at": NOW,
            "code_version": "test",
            "config_hash": "test",
        }

    def _fetch(self, snapshot: str, page: str) -> dict[str, Any]:
        row = dict.fromkeys(FETCHES.column_names)
        return row | {
            "snapshot": snapshot,
            "uri_id": uri_id("site", page),
            "url": f"http://site.test/{page}",
            "host": "site.test",
            "source": "site",
            "verdict": "gone",
            "bytes": 0,
            "fetched_at": NOW,
        }

    def kept(self, snapshot: str) -> set[str]:
        rows = self._rows(DEDUPLICATED, snapshot)
        found = [self.names[row["doc_id"]] for row in rows]
        assert len(found) == len(set(found))
        return set(found)

    def rejected(self, snapshot: str) -> dict[str, str]:
        return {self.names[r["doc_id"]]: r["rule"] for r in self._rows(REJECTED, snapshot)}

    def clusters(self, snapshot: str) -> dict[str, str]:
        """Page -> the page that survives."""
        rows = self._rows(CLUSTERS, snapshot)
        members: dict[str, list[str]] = {}
        for row in rows:
            members.setdefault(row["survivor"], []).append(row["doc_id"])
        for row in rows:
            assert row["cluster_id"] == min(members[row["survivor"]])
        return {self.names[row["doc_id"]]: self.names[row["survivor"]] for row in rows}

    def _rows(self, spec: Any, snapshot: str) -> list[Any]:
        return self.store.read(spec).where(f"snapshot = '{snapshot}'").collect()


def contents(store: Store) -> dict[str, list[str]]:
    tables = (SIGNATURES, CLUSTERS, DEDUPLICATED, REJECTED)
    return {spec.name: sorted(map(str, store.read(spec).collect())) for spec in tables}


def test_one_snapshot_and_its_rerun(store: Store, texts: Any) -> None:
    crawl = Crawl(store)
    long = texts.english(200)
    pages = {
        "home": long,
        "copy": long.upper(),
        "near": texts.edited(long, 1) + " extra",
        "other": texts.english(200),
        "blank": "…",
    }
    crawl.write(S1, pages)
    report = dedup_snapshot(store, S1, CONFIG)
    assert crawl.kept(S1) == {"near", "other", "blank"}  # the longest version survives
    assert crawl.rejected(S1) == {"home": "dedup.near", "copy": "dedup.near"}
    assert crawl.clusters(S1) == {"home": "near", "copy": "near", "near": "near"}
    assert (report.rows_in, report.kept, report.rejected) == (5, 3, {"dedup.near": 2})
    assert set(report.outputs) == {"signatures", "clusters", "deduplicated", "rejected"}
    assert store.read(SIGNATURES).count() == 5
    before = contents(store)
    again = dedup_snapshot(store, S1, CONFIG)
    assert contents(store) == before
    assert again.rejected == report.rejected


def test_a_published_document_survives_a_better_new_one(store: Store, texts: Any) -> None:
    crawl = Crawl(store)
    text = texts.english(200)
    crawl.write(S1, {"old": text, "twin": text, "lone": texts.english(100)})
    dedup_snapshot(store, S1, CONFIG)
    first = crawl.kept(S1)
    crawl.write(S2, {"longer": text + " and more", "fresh": texts.english(100)})
    report = dedup_snapshot(store, S2, CONFIG)
    assert crawl.kept(S2) == {"fresh"}
    survivor = (first - {"lone"}).pop()
    # The cluster touched now lists the members that it had before.
    assert crawl.clusters(S2) == dict.fromkeys(["old", "twin", "longer"], survivor)
    assert crawl.rejected(S2) == {"longer": "dedup.near"}
    assert (report.rows_in, report.kept, report.extra["reconsidered"]) == (2, 1, 0)
    assert crawl.kept(S1) == first


@pytest.mark.parametrize("loss", ["gone", "changed", "filtered out"])
def test_duplicates_of_a_lost_survivor_are_elected_anew(
    store: Store, texts: Any, loss: str
) -> None:
    crawl = Crawl(store)
    text = texts.english(200)
    crawl.write(S1, {"best": text + " longest", "second": text, "third": text.upper()})
    dedup_snapshot(store, S1, CONFIG)
    assert crawl.kept(S1) == {"best"}
    other = texts.english(150)
    changed = {} if loss == "gone" else {"best": other}
    crawl.write(
        S2,
        {**changed, "new": texts.english(90)},
        gone=("best",) if loss == "gone" else (),
        bad=("best",) if loss == "filtered out" else (),
    )
    report = dedup_snapshot(store, S2, CONFIG)
    elected = crawl.kept(S2) - {"best", "new"}
    assert elected < {"second", "third"}
    assert len(elected) == 1
    assert ("best" in crawl.kept(S2)) == (loss == "changed")
    assert crawl.clusters(S2) == dict.fromkeys(["second", "third"], elected.copy().pop())
    assert report.extra["reconsidered"] == 2
    rows = store.read(DEDUPLICATED).where(f"snapshot = '{S2}'").count()
    assert report.rows_in == rows + len(crawl.rejected(S2))
    before = contents(store)
    dedup_snapshot(store, S2, CONFIG)
    assert contents(store) == before
    # From now on it is published: a third snapshot leaves it alone.
    crawl.write(S3, {"late": text})
    report = dedup_snapshot(store, S3, CONFIG)
    assert crawl.kept(S3) == set()
    assert crawl.clusters(S3)["late"] == elected.pop()
    assert report.extra["reconsidered"] == 0


def test_a_page_that_returns_with_its_old_bytes_is_decided_anew(store: Store, texts: Any) -> None:
    crawl = Crawl(store)
    text, other = texts.english(120), texts.english(120)
    crawl.write(S1, {"page": text, "rival": other})
    dedup_snapshot(store, S1, CONFIG)
    crawl.write(S2, {"page": texts.english(80), "rival": text})
    dedup_snapshot(store, S2, CONFIG)
    assert crawl.kept(S2) == {"page", "rival"}
    crawl.write(S3, {"page": text})
    dedup_snapshot(store, S3, CONFIG)
    assert crawl.kept(S3) == set()
    assert crawl.clusters(S3) == {"page": "rival", "rival": "rival"}


def test_signatures_of_other_settings_are_made_anew(store: Store, texts: Any) -> None:
    crawl = Crawl(store)
    text = texts.english(200)
    crawl.write(S1, {"old": text})
    dedup_snapshot(store, S1, DedupConfig(seed=9, permutations=64))
    crawl.write(S2, {"new": texts.edited(text, 1)})
    dedup_snapshot(store, S2, CONFIG)
    assert crawl.clusters(S2) == {"old": "old", "new": "old"}


def test_an_empty_snapshot(store: Store) -> None:
    crawl = Crawl(store)
    crawl.write(S1, {})
    report = dedup_snapshot(store, S1, CONFIG)
    assert (report.rows_in, report.kept, report.rejected) == (0, 0, {})
