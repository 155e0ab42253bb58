"""The filter on Spark: a frame from a file, and a snapshot of `documents`."""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from etl.filter.config import FilterConfig
from etl.filter.job import filter_frame, filter_snapshot
from etl.licence.ledger import ledger_snapshot
from etl.licence.policy import LicenceConfig, load_policy
from etl.tables.store import spark_schema
from schemas.errors import InputError
from schemas.identity import doc_id, uri_id
from schemas.tables import DOCUMENTS, FILTERED, QUARANTINE, REJECTED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.tables.store import Store

pytestmark = pytest.mark.spark

GOOD = (
    "The harbour was quiet when the first boats came back with their catch in the morning. "
    "Two men carried a basket of herring up the stairs, and a boy who had waited for an hour "
    "asked them what they had seen. They told him of a whale that had followed the nets for a "
    "mile. It never touched them, the older man said, as if it only wanted company. By evening "
    "the children drew it on the wall of their school."
)


def test_a_file_without_language_or_licence(spark: SparkSession) -> None:
    rows = [("1", GOOD, 7), ("2", "thin", 8), ("3", None, 9), ("4", "", 10)]
    frame = spark.createDataFrame(rows, "id string, text string, extra int")
    with filter_frame(frame, FilterConfig(), id_column="id").persisted() as decided:
        report = decided.report("filter", rows_in=4)
        kept = decided.kept(scores=True).collect()
        rejected = {row["id"]: row for row in decided.rejected().collect()}
        lost = decided.quarantined().collect()
    assert report.kept == 1
    assert report.rejected == {"gopher.word_count": 2}
    assert report.quarantined == 1
    assert [(row["id"], row["text"], row["extra"]) for row in kept] == [("1", GOOD, 7)]
    assert len(kept[0]["scores"]) > 20
    assert (rejected["2"]["score"], rejected["2"]["threshold"]) == (1.0, 50.0)
    assert rejected["4"]["score"] == 0.0
    assert rejected["2"]["reasons"][0]["rule"] == "gopher.word_count"
    assert (lost[0]["error_class"], lost[0]["pointer"]) == ("missing_text", "3")


def test_records_with_a_licence_of_their_own(spark: SparkSession) -> None:
    licences = {"1": "cc-by-4.0", "2": "CC-BY-NC-ND-4.0", "3": None, "4": "MIT License", "5": "odd"}
    rows = [(name, GOOD, licence) for name, licence in licences.items()]
    frame = spark.createDataFrame(rows, "id string, text string, licence string")
    policy = load_policy(LicenceConfig(unknown="allow"))
    with filter_frame(frame, FilterConfig(), id_column="id", policy=policy).persisted() as decided:
        report = decided.report("filter", rows_in=5)
        kept = {row["id"]: row["licence"] for row in decided.kept().collect()}
        rejected = decided.rejected().collect()
        lost = decided.quarantined().collect()
    assert kept == {name: licences[name] for name in ("1", "3", "4")}
    assert [(row["id"], row["rule"]) for row in rejected] == [("2", "licence.no_derivatives")]
    assert (rejected[0]["score"], rejected[0]["threshold"]) == (1.0, 0.0)
    assert [(row["id"], row["error_class"]) for row in lost] == [("5", "licence_review")]
    assert (report.kept, report.quarantined) == (3, 1)


def test_what_cannot_be_filtered_is_named(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("1", 5)], "id string, text int")
    with pytest.raises(InputError, match="'text' is int"):
        filter_frame(frame, FilterConfig(), id_column="id")
    with pytest.raises(InputError, match="'doc_id'"):
        filter_frame(frame, FilterConfig())


def _documents() -> list[dict[str, Any]]:
    texts = {
        "good": (GOOD, "CC0-1.0"),
        "forbidden": (GOOD + " Really.", "CC-BY-NC-ND-4.0"),
        "thin": ("thin", "unknown"),
    }
    rows = []
    for page, (text, licence) in texts.items():
        uri, digest = uri_id("s", page), hashlib.sha256(text.encode()).hexdigest()
        rows.append(
            {
                "snapshot": "2026-01-01", "doc_id": doc_id(uri, digest), "uri_id": uri,
                "source": "s", "url": f"http://h/{page}", "text": text, "language": "eng",
                "language_score": 1.0, "licence": licence, "content_sha256": digest,
                "text_sha256": digest, "code_version": "x", "config_hash": "x",
                "fetched_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
            }
        )  # fmt: skip
    return [{name: row.get(name) for name in DOCUMENTS.column_names} for row in rows]


def test_a_snapshot_twice(store: Store) -> None:
    frame = store.spark.createDataFrame(_documents(), spark_schema(DOCUMENTS))
    store.replace(DOCUMENTS, frame, {"snapshot": "2026-01-01"})
    policy = load_policy(LicenceConfig(unknown="allow"))
    ledger_snapshot(store, "2026-01-01", policy)
    seen = []
    for _ in range(2):
        report = filter_snapshot(store, "2026-01-01", FilterConfig())
        assert (report.rows_in, report.kept) == (3, 1)
        assert report.rejected == {"gopher.word_count": 1, "licence.no_derivatives": 1}
        seen.append(
            [
                sorted(map(str, store.read(spec).select(*spec.stable_columns).collect()))
                for spec in (FILTERED, REJECTED, QUARANTINE)
            ]
        )
    assert seen[0] == seen[1]
    kept = store.read(FILTERED).first()
    assert kept is not None
    assert (kept["text"], kept["code_version"][:13]) == (GOOD, "token-foundry")
    assert {row["rule"] for row in kept["scores"]} >= {"gopher.stop_words"}
