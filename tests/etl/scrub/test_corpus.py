"""The corpus on Delta: what enters, what is updated, what leaves, and that a rerun is quiet."""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from etl.scrub.config import ScrubConfig
from etl.scrub.corpus import corpus_snapshot
from etl.tables.store import spark_schema
from schemas.identity import doc_id, uri_id
from schemas.report import JobReport
from schemas.spec import TableSpec
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FINDINGS,
    QUARANTINE,
)

if TYPE_CHECKING:
    from etl.tables.store import Store

pytestmark = pytest.mark.spark

DAY1, DAY2 = "2026-01-01", "2026-01-02"
WHEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def document(snapshot: str, page: str, text: str, licence: str = "CC0-1.0") -> dict[str, Any]:
    uri = uri_id("sample", f"http://host/{page}")
    return {
        "snapshot": snapshot,
        "doc_id": doc_id(uri, sha(text)),
        "uri_id": uri,
        "source": "sample",
        "url": f"http://host/{page}",
        "title": None,
        "text": text,
        "language": "eng",
        "language_score": 1.0,
        "licence": licence,
        "licence_evidence": None,
        "content_sha256": sha(text),
        "text_sha256": sha(text),
        "warc_file": "a.warc.gz",
        "warc_offset": 0,
        "warc_length": 10,
        "fetched_at": WHEN,
        "code_version": "test",
        "config_hash": "0" * 16,
    }


def write(store: Store, spec: TableSpec, snapshot: str, rows: list[dict[str, Any]]) -> None:
    whole = [{name: row.get(name) for name in spec.column_names} for row in rows]
    frame = store.spark.createDataFrame(whole, spark_schema(spec))
    store.replace(spec, frame, {"snapshot": snapshot})


def load(store: Store, snapshot: str, rows: list[dict[str, Any]], kept: set[str]) -> None:
    """`rows` as documents, those whose page is in `kept` as deduplicated."""
    write(store, DOCUMENTS, snapshot, rows)
    unique = [{**row, "scores": []} for row in rows if row["url"].rsplit("/", 1)[1] in kept]
    write(store, DEDUPLICATED, snapshot, unique)


def gone(store: Store, snapshot: str, page: str) -> None:
    row = {
        "snapshot": snapshot, "uri_id": uri_id("sample", f"http://host/{page}"), "host": "host",
        "url": f"http://host/{page}", "source": "sample", "verdict": "gone", "bytes": 0,
        "fetched_at": WHEN,
    }  # fmt: skip
    write(store, FETCHES, snapshot, [row])


def corpus(store: Store) -> dict[str, dict[str, Any]]:
    return {
        row["url"].rsplit("/", 1)[1]: row.asDict() for row in store.read(CORPUS).collect()
    }  # fmt: skip


def done(report: JobReport) -> tuple[int, int, int]:
    return report.extra["inserted"], report.extra["updated"], report.extra["deleted"]


def first_day(store: Store) -> None:
    rows = [
        document(DAY1, "a", "Write to ann@example.com or to ann@example.com."),
        document(DAY1, "b", "Nothing to hide here."),
        document(DAY1, "c", "A page that goes away."),
        document(DAY1, "d", "A page that turns into spam."),
        document(DAY1, "e", "A page that a later one copies."),
    ]
    load(store, DAY1, rows, {"a", "b", "c", "d", "e"})


def test_two_days(store: Store) -> None:
    first_day(store)
    report = corpus_snapshot(store, DAY1, ScrubConfig())
    assert (report.rows_in, report.kept, report.extra["inserted"]) == (5, 5, 5)
    assert report.extra["masked"] == {"EMAIL_ADDRESS": 2}
    before = corpus(store)
    assert before["a"]["text"] == "Write to [EMAIL_1] or to [EMAIL_1]."
    assert before["a"]["text_sha256"] == sha(before["a"]["text"])
    assert before["a"]["pii_masked"] == 2
    assert before["b"]["pii_masked"] == 0
    places = {(row["start"], row["end"]) for row in store.read(FINDINGS).collect()}
    assert places == {(9, 24), (31, 46)}

    load(
        store,
        DAY2,
        [
            document(DAY2, "b", "Now call 13800138000, my mobile."),
            document(DAY2, "d", "spam spam spam"),
            document(DAY2, "f", "A new page."),
        ],
        {"b", "f"},
    )
    gone(store, DAY2, "c")
    copied = document(DAY1, "e", "A page that a later one copies.")["doc_id"]
    newer = document(DAY2, "f", "A new page.")["doc_id"]
    write(
        store,
        CLUSTERS,
        DAY2,
        [
            {"snapshot": DAY2, "doc_id": identity, "cluster_id": min(copied, newer),
             "survivor": newer, "similarity": 1.0, "method": "near"}
            for identity in (copied, newer)
        ],
    )  # fmt: skip
    report = corpus_snapshot(store, DAY2, ScrubConfig())
    after = corpus(store)
    assert set(after) == {"a", "b", "f"}
    assert after["a"] == before["a"]
    assert after["b"]["text"] == "Now call [PHONE_1], my mobile."
    assert done(report) == (1, 1, 3)

    version = store.version(CORPUS)
    for snapshot in (DAY2, DAY1):  # again, and late: nothing may change
        report = corpus_snapshot(store, snapshot, ScrubConfig())
        assert corpus(store) == after
        assert report.extra["corpus_version"] == version
        assert done(report) == (0, 0, 0)


def test_a_null_text_is_quarantined_and_counts_reconcile(store: Store) -> None:
    from etl.scrub.job import scrub_frame

    frame = store.spark.createDataFrame(
        [("1", "ip 10.1.2.3", "x"), ("2", None, "y")], "id string, text string, more string"
    )
    with scrub_frame(frame, ScrubConfig(), id_column="id").persisted() as decided:
        report = decided.report("scrub", rows_in=2)
        kept = decided.kept().collect()
        lost = decided.quarantined().collect()
    assert (report.kept, report.quarantined) == (1, 1)
    assert [(row["text"], row["more"], row["pii_masked"]) for row in kept] == [
        ("ip [IP_1]", "x", 1)
    ]
    assert kept[0]["findings"][0].asDict() == {
        "entity": "IP_ADDRESS", "start": 3, "end": 11, "score": 0.6,
    }  # fmt: skip
    assert [(row["id"], row["error_class"]) for row in lost] == [("2", "missing_text")]


def test_an_empty_snapshot_is_fine(store: Store) -> None:
    report = corpus_snapshot(store, DAY1, ScrubConfig())
    assert (report.rows_in, report.kept) == (0, 0)
    assert store.read(CORPUS).count() == 0
    assert store.read(QUARANTINE).count() == 0
