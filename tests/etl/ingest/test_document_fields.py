"""The fields of documents: each that a reader gives has a column, of the type that it has."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.document_fields import document_fields
from etl.ingest.formats import Format, detect
from etl.ingest.readers import DOCUMENT_READERS
from tests.etl.ingest.reading import rows_of
from tests.etl.ingest.test_books import _GUTENBERG, _epub
from tests.etl.ingest.test_mediawiki import _PAGES, dump
from tests.etl.ingest.test_papers import _FILES, _PAPER, _tar
from tests.etl.ingest.test_pdf import _pages, pdf
from tests.etl.ingest.test_repository import _git
from tests.etl.ingest.test_sevenzip import sevenzip
from tests.etl.ingest.test_stackexchange import POSTS, USERS, posts_xml


@pytest.fixture
def inputs(tmp_path: Path) -> dict[Format, Path]:
    """One of each format."""
    site = tmp_path / "cooking.stackexchange.com"
    project = tmp_path / "project"
    site.mkdir()
    project.mkdir()
    (site / "Posts.xml").write_bytes(posts_xml(POSTS))
    (site / "Users.xml").write_text(USERS)
    (tmp_path / "wiki.xml").write_bytes(dump(_PAGES))
    (tmp_path / "paper.tar").write_bytes(_tar(_FILES))
    (tmp_path / "paper.tex").write_bytes(_PAPER)
    (tmp_path / "paper.pdf").write_bytes(pdf(_pages()))
    (tmp_path / "book.txt").write_text(_GUTENBERG)
    _git(project, "init", "-q", "-b", "main")
    (project / "vendor").mkdir()
    for name in ("a.py", "vendor/b.py"):
        (project / name).write_text("x = 1\n")
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", "x")
    _git(project, "bundle", "create", "-q", str(tmp_path / "project.bundle"), "main")
    return {
        Format.MEDIAWIKI: tmp_path / "wiki.xml",
        Format.STACKEXCHANGE: site / "Posts.xml",
        Format.SEVENZIP: sevenzip(tmp_path / "a.7z", {"Posts.xml": posts_xml(POSTS)}),
        Format.REPOSITORY: project,
        Format.BUNDLE: tmp_path / "project.bundle",
        Format.LATEX: tmp_path / "paper.tex",
        Format.TAR: tmp_path / "paper.tar",
        Format.PDF: tmp_path / "paper.pdf",
        Format.EPUB: _epub(tmp_path / "book.epub", {"OEBPS/nav.xhtml": ""}),
        Format.TEXT: tmp_path / "book.txt",
    }


def test_every_field_has_a_column_of_its_type(inputs: dict[Format, Path]) -> None:
    assert inputs.keys() == DOCUMENT_READERS.keys()
    for format_, path in inputs.items():
        assert detect(path).format == format_
        schema = document_fields([format_])
        rows = [json.loads(row["extra"]) for row in rows_of(path, IngestConfig())]
        assert rows
        for row in rows:
            assert row.keys() <= set(schema.names), format_
            converted = pa.Table.from_pylist([row], schema=schema).to_pylist()[0]
            assert {name: converted[name] for name in row} == row


def test_other_formats_have_none() -> None:
    assert document_fields(["jsonl", "html", "unknown"]).names == []
    both = document_fields(["epub", "mediawiki", "jsonl"])
    assert {"title", "licence", "revision", "missing_parts"} <= set(both.names)
