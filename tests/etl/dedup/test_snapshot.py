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
            if not found:
                continue
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
    dedup_snapshot(store, S1, CONFIG)
    assert contents(store) == before


def test_three_snapshots(store: Store, texts: Any) -> None:
    """One history, several families of pages: writing tables is what takes the time."""
    crawl = Crawl(store)
    family = {name: texts.english(200) for name in ("kept", "gone", "changed", "bad", "back")}

    def members(name: str) -> set[str]:
        return {f"{name}-second", f"{name}-third"}

    first = {}
    for name in ("kept", "gone", "changed", "bad"):
        text = family[name]
        copies = {f"{name}-second": text, f"{name}-third": text.upper()}
        first |= {f"{name}-best": f"{text} longest version", **copies}
    crawl.write(S1, {**first, "back": family["back"], "rival": texts.english(100)})
    dedup_snapshot(store, S1, CONFIG)
    published = {f"{name}-best" for name in ("kept", "gone", "changed", "bad")} | {"back", "rival"}
    assert crawl.kept(S1) == published

    second = {
        "kept-longer": family["kept"] + " even longer than the one that is published",
        "changed-best": texts.english(150),
        "bad-best": texts.english(150),
        "back": texts.english(80),
        "rival": family["back"],
        "fresh": texts.english(100),
    }
    crawl.write(S2, second, gone=("gone-best",), bad=("bad-best",))
    report = dedup_snapshot(store, S2, CONFIG)
    kept, clusters = crawl.kept(S2), crawl.clusters(S2)
    elected = {}
    for name in ("gone", "changed", "bad"):  # their survivor is lost: one of the others takes over
        (elected[name],) = kept & members(name)
        assert {clusters.pop(member) for member in members(name)} == {elected[name]}
    # A published document survives a better one, and its cluster lists its older members too.
    assert clusters == dict.fromkeys([*members("kept"), "kept-best", "kept-longer"], "kept-best")
    assert kept == {"changed-best", "back", "rival", "fresh", *elected.values()}
    assert crawl.rejected(S2).keys() == {"kept-longer"} | {
        member for name in elected for member in members(name) - {elected[name]}
    }
    assert report.extra["reconsidered"] == 6
    assert (report.rows_in, report.kept) == (11, 7)
    before = contents(store)
    dedup_snapshot(store, S2, CONFIG)
    assert contents(store) == before
    assert crawl.kept(S1) == published

    # What was elected is published from now on; a page with its old bytes is decided anew.
    crawl.write(S3, {"late": family["gone"], "back": family["back"]})
    report = dedup_snapshot(store, S3, CONFIG)
    assert crawl.kept(S3) == set()
    assert crawl.clusters(S3)["late"] == elected["gone"]
    assert crawl.clusters(S3)["back"] == "rival"
    assert report.extra["reconsidered"] == 0


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
