"""Dumps, repositories, papers and books through Spark: read, extracted, counted."""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl.extract.job import ExtractConfig, extract_files
from tests.etl.ingest.test_mediawiki import _PAGES, dump

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_a_dump_becomes_documents(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "dump.xml.bz2").write_bytes(bz2.compress(dump(_PAGES)))
    with extract_files(spark, str(tmp_path), ExtractConfig()).persisted() as documents:
        report = documents.report("extract")
        rows = {row["title"]: row for row in documents.kept().collect()}
        rejected = documents.rejected().select("rule", "language", "licence").collect()
    assert (report.rows_in, report.kept, report.quarantined) == (6, 2, 0)
    assert report.rejected == {
        "mediawiki.content_model": 1, "mediawiki.empty": 1, "mediawiki.namespace": 1,
        "mediawiki.redirect": 1,
    }  # fmt: skip
    rhine = rows["Rhein & Elbe"]
    assert (rhine["text"], rhine["licence"]) == ("Der Rhein ist ein Fluss.", "CC-BY-SA-4.0")
    assert rhine["licence_statements"][0]["kind"] == "site"
    assert rhine["language"] is not None
    assert {(row["language"], row["licence"]) for row in rejected} == {("und", "unknown")}
