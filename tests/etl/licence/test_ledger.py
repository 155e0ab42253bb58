"""Two materialisations and one changed line of the matrix: what leaves and what comes in."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from etl.dedup.config import DedupConfig
from etl.dedup.snapshot import dedup_snapshot
from etl.filter.config import FilterConfig
from etl.filter.job import filter_snapshot
from etl.licence.ledger import ledger_snapshot
from etl.licence.matrix import MATRICES
from etl.licence.policy import LicenceConfig, load_policy
from etl.scrub.config import ScrubConfig
from etl.scrub.corpus import corpus_snapshot
from etl.tables.store import spark_schema
from schemas.errors import InputError
from schemas.identity import doc_id, sha256_hex, uri_id
from schemas.report import JobReport
from schemas.spec import Column, TableSpec
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FILTERED,
    LEDGER,
    POLICIES,
    QUARANTINE,
    REJECTED,
    SIGNATURES,
)

if TYPE_CHECKING:
    from etl.tables.store import Store

pytestmark = pytest.mark.spark
S1, S2, S3 = "2026-01-01", "2026-01-02", "2026-01-03"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
WRITTEN = (LEDGER, FILTERED, REJECTED, QUARANTINE, SIGNATURES, CLUSTERS, DEDUPLICATED, CORPUS)
SHARE_ALIKE = "licences: [CC-BY-SA-*, LicenseRef-CC-BY-SA, GFDL-*, ODbL-*]"
ALLOWED = "uses: {train_text: allow, train_media: allow, redistribute: allow, quote: allow}"
DENIED = ALLOWED.replace("train_text: allow", "train_text: deny")
NON_COMMERCIAL = "uses: {train_text: deny, train_media: deny, redistribute: deny, quote: allow}"


@dataclass
class Site:
    """Documents as extract writes them, and the steps after it under a matrix that is edited."""

    store: Store
    folder: Path
    seed: int
    unknown: str = "reject"
    names: dict[str, str] = field(default_factory=dict)  # doc_id -> page

    @property
    def matrix(self) -> Path:
        path = self.folder / "matrix.yaml"
        if not path.exists():
            path.write_text((MATRICES / "matrix.yaml").read_text())
        return path

    def edit(self, group: str, old: str, new: str) -> None:
        """Changes the one line with `old` in the part of `group`."""
        before, after = self.matrix.read_text().split(f"name: {group}\n")
        assert old in after
        self.matrix.write_text(f"{before}name: {group}\n{after.replace(old, new, 1)}")

    def text(self, name: str) -> str:
        """About 150 words of prose that pass the quality rules, the same for the same name."""
        rng = Random(f"{self.seed}:{name}")
        nouns = ["harbour", "boat", "teacher", "mountain", "letter", "garden", "doctor"]
        verbs = ["watched", "carried", "remembered", "followed", "painted", "described", "found"]
        return " ".join(
            f"The {rng.choice(nouns)} of {rng.choice(nouns)}s {rng.choice(verbs)} that "
            f"{rng.choice(nouns)} {rng.randrange(10_000)} with the {rng.choice(nouns)}."
            for _ in range(14)
        )

    def write(self, snapshot: str, pages: dict[str, tuple[str, str]]) -> None:
        """`pages`: name -> (text, licence)."""
        rows = []
        for page, (text, licence) in pages.items():
            identity = doc_id(uri_id("site", page), sha256_hex(text.encode()))
            self.names[identity] = page
            evidence = {"kind": "rel_license", "licence": licence, "text": "x", "place": "a"}
            rows.append(
                dict.fromkeys(DOCUMENTS.column_names)
                | {
                    "snapshot": snapshot, "doc_id": identity, "uri_id": uri_id("site", page),
                    "source": "site", "url": f"http://site.test/{page}", "text": text,
                    "language": "eng", "language_score": 0.9, "licence": licence,
                    "licence_statements": [evidence | {"ignored": None}],
                    "content_sha256": sha256_hex(text.encode()),
                    "text_sha256": sha256_hex(text.encode()), "fetched_at": NOW,
                    "code_version": "test", "config_hash": "test",
                }
            )  # fmt: skip
        self.replace(DOCUMENTS, snapshot, rows)

    def visit(self, snapshot: str, visits: dict[str, tuple[str, list[str] | None]]) -> None:
        """`visits`: page -> (verdict, opt-outs)."""
        told = Column(name="opt_outs", type=pa.list_(pa.string()), nullable=True, comment="-")
        others = tuple(c for c in FETCHES.columns if c.name != told.name)
        spec = dataclasses.replace(FETCHES, columns=(*others, told))
        rows = [
            dict.fromkeys(spec.column_names)
            | {
                "snapshot": snapshot, "uri_id": uri_id("site", page), "source": "site",
                "url": f"http://site.test/{page}", "host": "site.test", "verdict": verdict,
                "bytes": 0, "fetched_at": NOW, "opt_outs": opt_outs,
            }
            for page, (verdict, opt_outs) in visits.items()
        ]  # fmt: skip
        self.replace(spec, snapshot, rows)

    def replace(self, spec: TableSpec, snapshot: str, rows: list[dict[str, Any]]) -> None:
        frame = self.store.spark.createDataFrame(rows, spark_schema(spec))
        self.store.replace(spec, frame, {"snapshot": snapshot})

    def ledger(self, snapshot: str) -> JobReport:
        config = LicenceConfig(matrix=str(self.matrix), unknown=self.unknown)  # type: ignore[arg-type]
        return ledger_snapshot(self.store, snapshot, load_policy(config))

    def materialise(self, snapshot: str) -> dict[str, JobReport]:
        """Each step's report; a report that does not reconcile raises."""
        return {
            "ledger": self.ledger(snapshot),
            "filter": filter_snapshot(self.store, snapshot, FilterConfig()),
            "dedup": dedup_snapshot(self.store, snapshot, DedupConfig()),
            "scrub": corpus_snapshot(self.store, snapshot, ScrubConfig()),
        }

    def corpus(self) -> set[str]:
        rows = self.store.read(CORPUS).collect()
        assert len(rows) == len({row["uri_id"] for row in rows})
        return {self.names[row["doc_id"]] for row in rows}

    def decisions(self) -> dict[str, Any]:
        return {self.names[row["doc_id"]]: row for row in self.store.read(LEDGER).collect()}

    def versions(self, *specs: TableSpec) -> list[int]:
        return [self.store.version(spec) for spec in specs]

    def contents(self) -> dict[str, list[str]]:
        return {
            spec.name: sorted(
                map(str, self.store.read(spec).select(*spec.stable_columns).collect())
            )
            for spec in (*WRITTEN, POLICIES)
        }


@pytest.fixture
def site(store: Store, tmp_path: Path, seed: int) -> Site:
    return Site(store, tmp_path, seed)


@pytest.mark.timeout(1200)  # seven runs of four Spark steps
def test_one_line_of_the_matrix_changes_the_corpus(site: Site) -> None:
    shared = site.text("shared")
    site.write(
        S1,
        {
            "by": (site.text("by"), "CC-BY-4.0"),
            "sa": (site.text("sa"), "CC-BY-SA-4.0"),
            "sa-best": (shared + " It is the longest version.", "CC-BY-SA-3.0"),
            "by-copy": (shared, "CC-BY-4.0"),
            "nc": (site.text("nc"), "CC-BY-NC-4.0"),
            "nc-thin": ("Too short.", "CC-BY-NC-4.0"),
            "nothing": (site.text("nothing"), "unknown"),
        },
    )
    site.visit(S1, {"by": ("fetched", None)})
    first = site.materialise(S1)
    assert site.corpus() == {"by", "sa", "sa-best"}
    assert first["filter"].rejected == {"licence.non_commercial": 2, "licence.unknown": 1}
    assert first["dedup"].rejected == {"dedup.near": 1}
    old_hash = site.decisions()["sa"]["policy_hash"]

    # Share-alike may no longer be used. Nothing is fetched and nothing is extracted.
    read_only = site.versions(FETCHES, DOCUMENTS)
    site.edit("share_alike", ALLOWED, DENIED)
    matrix = site.matrix.read_text()
    assert len(matrix.splitlines()) == len((MATRICES / "matrix.yaml").read_text().splitlines())
    report = site.materialise(S2)
    assert site.versions(FETCHES, DOCUMENTS) == read_only
    assert site.corpus() == {"by", "by-copy"}  # and the duplicate that sa-best had displaced
    assert (report["ledger"].extra["admitted"], report["ledger"].extra["refused"]) == (0, 2)
    assert report["ledger"].extra["rows_written"] == 2
    row = site.decisions()["sa"]
    assert (row["decision"], row["rule"], row["changed_in"]) == ("deny", "licence.share_alike", S2)
    assert (row["previous_decision"], row["previous_rule"]) == ("allow", "licence.share_alike")
    assert (row["previous_policy_hash"], row["snapshot"]) == (old_hash, S1)
    assert row["policy_hash"] not in (None, old_hash)
    assert row["evidence"][0]["kind"] == "rel_license"

    # Non-commercial may be used, in the same snapshot: what comes in passes the other steps, too.
    site.edit("non_commercial", NON_COMMERCIAL, NON_COMMERCIAL.replace("text: deny", "text: allow"))
    report = site.materialise(S2)
    assert site.corpus() == {"by", "by-copy", "nc"}
    assert (report["ledger"].extra["admitted"], report["filter"].rows_in) == (2, 2)
    assert report["filter"].rejected == {"gopher.word_count": 1}

    # Again, in a later snapshot, and the first one late: nothing moves.
    before = site.contents()
    versions = site.versions(LEDGER, CORPUS, POLICIES)
    site.materialise(S2)
    assert site.contents() == before
    assert site.versions(LEDGER, CORPUS, POLICIES) == versions
    site.materialise(S1)
    assert site.corpus() == {"by", "by-copy", "nc"}
    assert site.contents() == before

    # Back to the first line: the old survivor returns as a newcomer and finds its copy published.
    site.edit("share_alike", DENIED, ALLOWED)
    site.write(S3, {"new": (site.text("new"), "CC0-1.0")})
    report = site.materialise(S3)
    assert site.corpus() == {"by", "by-copy", "nc", "sa", "new"}
    assert report["dedup"].rejected == {"dedup.near": 1}
    assert report["dedup"].rows_in == 3
    row = site.decisions()["sa-best"]
    assert (row["decision"], row["previous_decision"], row["changed_in"]) == ("allow", "deny", S3)
    before = site.contents()
    site.materialise(S3)
    assert site.contents() == before


def test_reservations_are_heard_when_they_are_first_seen(site: Site) -> None:
    pages = {name: (site.text(name), "CC-BY-4.0") for name in ("a", "b", "c", "d", "e")}
    site.write(S1, pages)
    fetched = {"a": ["noindex"], "b": ["noai", "noindex"], "c": None, "d": [], "e": []}
    site.visit(S1, {page: ("fetched", opt_outs) for page, opt_outs in fetched.items()})
    report = site.materialise(S1)
    assert report["ledger"].rejected == {"opt_out.noai": 1}
    assert site.corpus() == {"a", "c", "d", "e"}
    assert site.decisions()["b"]["opt_outs"] == ["noai", "noindex"]

    site.write(S2, {})
    site.visit(S2, {"a": ("not_modified", []), "c": ("not_modified", ["tdm-reservation"]),
                    "d": ("denied_robots", None), "e": ("gone", None)})  # fmt: skip
    report = site.materialise(S2)
    assert site.corpus() == {"a"}
    assert report["ledger"].extra["policy_changed"] == "false"
    rows = site.decisions()
    assert {page: row["rule"] for page, row in rows.items() if row["changed_in"] == S2} == {
        "c": "opt_out.tdm-reservation", "d": "opt_out.robots",
    }  # fmt: skip
    assert (rows["d"]["robots"], rows["d"]["previous_decision"]) == ("disallowed", "allow")
    before = site.contents()
    site.materialise(S1)  # late: what was seen since stands
    assert site.contents() == before

    # robots.txt lets us in again; a page that is gone is not decided again, whatever the matrix.
    site.visit(S3, {"d": ("not_modified", [])})
    site.edit("attribution", ALLOWED, ALLOWED.replace("quote: allow", "quote: deny"))
    site.materialise(S3)
    assert site.corpus() == {"a", "d"}
    assert site.decisions()["e"]["changed_in"] == S1


def test_review_waits_in_quarantine_and_the_profile_decides_on_unknown(site: Site) -> None:
    site.unknown = "quarantine"
    site.write(
        S1,
        {
            "odd": (site.text("odd"), "LicenseRef-odd"),
            "nothing": (site.text("nothing"), "unknown"),
            "by": (site.text("by"), "CC-BY-4.0"),
        },
    )
    report = site.materialise(S1)
    assert (report["ledger"].quarantined, report["filter"].quarantined) == (2, 2)
    waiting = site.store.read(QUARANTINE).where("step = 'filter'").collect()
    assert {site.names[row["item_id"]] for row in waiting} == {"odd", "nothing"}
    assert {row["error_class"] for row in waiting} == {"licence_review"}
    site.unknown = "allow"
    site.materialise(S1)
    assert site.corpus() == {"by", "nothing"}
    assert site.decisions()["nothing"]["previous_decision"] == "review"


def test_the_ledger_comes_before_the_filter_and_follows_the_documents(site: Site) -> None:
    site.write(S1, {"a": (site.text("a"), "CC0-1.0"), "b": (site.text("b"), "CC0-1.0")})
    with pytest.raises(InputError, match="no decision on 2 documents"):
        filter_snapshot(site.store, S1, FilterConfig())
    site.materialise(S1)
    # Extracted again: one page is not a document any more, another states a licence of its own.
    site.write(S1, {"b": (site.text("b"), "CC-BY-NC-4.0")})
    report = site.materialise(S1)
    assert (report["ledger"].rows_in, report["ledger"].kept) == (1, 0)
    assert site.store.read(LEDGER).count() == 1
    row = site.decisions()["b"]
    assert (row["decision"], row["previous_decision"]) == ("deny", "allow")
