"""Dumps, repositories, papers and books through Spark: read, extracted, counted."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl.extract.job import ExtractConfig, extract_files
from etl.ingest.config import IngestConfig
from etl.ingest.read import read_records
from etl.storage.location import Location
from etl.storage.upload import upload_folder
from tests.etl.ingest.test_books import _GUTENBERG, _epub
from tests.etl.ingest.test_mediawiki import _PAGES, dump
from tests.etl.ingest.test_papers import _FILES, _tar
from tests.etl.ingest.test_pdf import _pages, pdf
from tests.etl.ingest.test_repository import _git
from tests.etl.ingest.test_sevenzip import sevenzip
from tests.etl.ingest.test_stackexchange import POSTS, USERS, posts_xml
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.tables.store import Store

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


def test_a_folder_of_repositories(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("one", "two", "sub/three"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        _git(folder, "init", "-q", "-b", "main")
        (folder / "a.py").write_text(f"def {name[-3:]}():\n\n\n    pass\n")
        (folder / "vendor").mkdir()
        (folder / "vendor" / "b.py").write_text("x = 1\n")
        _git(folder, "add", "-A")
        _git(folder, "commit", "-qm", "x")
    (tmp_path / "page.html").write_text("<html><p>A page beside them.</p></html>")
    (tmp_path / "rows.jsonl").write_text('{"text": "A row.", "Licence": 1, "title": 5, "n": 2}\n')
    with extract_files(spark, str(tmp_path), ExtractConfig()).persisted() as documents:
        report = documents.report("extract")
        code = documents.kept().where("programming_language = 'Python'").collect()
        row = documents.kept().where("text = 'A row.'").first()
    assert (report.rows_in, report.kept) == (8, 5)
    assert row is not None
    assert (row["title"], row["n"], row["extra_Licence"]) == ("5", 2, 1)
    assert report.rejected == {"code.vendored": 3}
    assert sorted(row["text"] for row in code)[0] == "def one():\n\n\n    pass\n"
    one = read_records(spark, str(tmp_path / "one"), IngestConfig()).kept().collect()
    assert [row["path"] for row in one] == ["a.py"]


def test_a_site_of_questions(spark: SparkSession, tmp_path: Path) -> None:
    site = tmp_path / "cooking.stackexchange.com"
    site.mkdir()
    (site / "Posts.xml").write_bytes(posts_xml(POSTS))
    (site / "Users.xml").write_text(USERS)
    with extract_files(spark, str(tmp_path), ExtractConfig()).persisted() as documents:
        report = documents.report("extract")
        row = documents.kept().where("title like 'How%'").first()
    assert (report.rows_in, report.kept, report.quarantined) == (6, 2, 0)
    assert row is not None
    assert row["licence"] == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"
    assert [answer["author"] for answer in row["answers"]] == ["Ann & Co", "Bob"]
    first = row["answers"][0]
    assert row["text"][first["start"] : first["end"]] == "Accepted"


def test_a_snapshot_takes_rejected_rows(store: Store, tmp_path: Path) -> None:
    from etl.ingest.job import ingest_snapshot
    from schemas.tables import DOCUMENTS, REJECTED

    (tmp_path / "dump.xml").write_bytes(dump(_PAGES))
    files = [str(tmp_path / "dump.xml")]
    reading = IngestConfig(source="wiki")
    report = ingest_snapshot(store, files, reading, "s1", ExtractConfig())
    assert (report.rows_in, report.kept) == (6, 2)
    assert store.read(DOCUMENTS).count() == 2
    assert {row["rule"] for row in store.read(REJECTED).collect()} == set(report.rejected)


def test_all_of_them_from_s3_and_a_folder(
    spark: SparkSession, s3_profile: S3Profile, tmp_path: Path
) -> None:
    """One of each, side by side with what cannot be read: the same rows from both."""
    folder, project = tmp_path / "in", tmp_path / "project"
    site = folder / "cooking.stackexchange.com"
    site.mkdir(parents=True)
    project.mkdir()
    (site / "Posts.xml").write_bytes(posts_xml(POSTS))
    (site / "Users.xml").write_text(USERS)
    members = {"Posts.xml": posts_xml(POSTS[:3]), "Users.xml": USERS.encode()}
    sevenzip(folder / "chess.stackexchange.com.7z", members)
    (folder / "wiki.xml.bz2").write_bytes(bz2.compress(dump(_PAGES)))
    (folder / "2401.01234.tar.gz").write_bytes(gzip.compress(_tar(_FILES)))
    (folder / "paper.pdf").write_bytes(pdf(_pages()))
    (folder / "book.txt").write_text(_GUTENBERG)
    (folder / "noise.zip").write_bytes(b"PK\x03\x04 noise")
    _epub(folder / "book.epub")
    _git(project, "init", "-q", "-b", "main")
    (project / "a.py").write_text("x = 1\n")
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", "x")
    _git(project, "bundle", "create", "-q", str(folder / "project.bundle"), "main")
    upload_folder(folder, Location.parse(f"{s3_profile.root}/in"), s3_profile.s3)

    def rows(path: str) -> list[tuple]:
        frame = read_records(spark, path, IngestConfig(s3=s3_profile.s3)).frame
        columns = [
            "_verdict",
            "text",
            "title",
            "licence",
            "author",
            "_error_class",
            "source_offset",
        ]
        return sorted((tuple(row) for row in frame.select(*columns).collect()), key=repr)

    here = rows(str(folder))
    assert rows(f"{s3_profile.root}/in") == here
    assert [row[0] for row in here].count("kept") == 2 + 1 + 2 + 1 + 1 + 1 + 1 + 1
    assert [row[5] for row in here if row[5]] == ["unknown_format"]
