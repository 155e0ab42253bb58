"""Rows of documents: identities that hold, places that lead back, licences that are said."""

from __future__ import annotations

import json
from pathlib import Path

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, failed, kept, rejected, sound
from etl.licence.evidence import Evidence, resolve


def _place(**values: object) -> Place:
    return Place(IngestConfig(source="s"), Path("/data/a.xml"), **values)  # type: ignore[arg-type]


def test_identity_is_the_source_the_url_and_the_text() -> None:
    first = kept(_place(offset=5, length=9), "text", url="http://x/1")
    assert first["id"] == kept(_place(offset=7), "text", url="http://x/1", title="t")["id"]
    assert first["id"] != kept(_place(offset=5), "other", url="http://x/1")["id"]
    assert first["id"] != kept(_place(offset=5), "text", url="http://x/2")["id"]


def test_without_a_url_the_place_is_the_name() -> None:
    assert kept(_place(offset=5), "t")["url"] == "file:///data/a.xml#5"
    assert kept(_place(inner="b/c.py"), "t")["url"] == "file:///data/a.xml#b/c.py"
    assert failed(_place(offset=5, length=9), "x", "y")["_pointer"] == "/data/a.xml@5+9"
    assert failed(_place(inner="b.py"), "x", "y")["_pointer"] == "/data/a.xml#b.py"


def test_licences_and_empty_fields() -> None:
    licence = resolve([Evidence("field", "MIT", "mit", "x")])
    fields = json.loads(kept(_place(), "t", licence=licence, title="", tags=[])["extra"])
    assert (fields["licence"], fields["licence_statements"][0]["text"]) == ("MIT", "mit")
    assert not fields.keys() & {"title", "tags"}
    assert json.loads(kept(_place(), "t")["extra"])["licence"] == "unknown"


def test_rejected_rows_have_what_the_tables_ask_for() -> None:
    row = rejected(_place(offset=1), "a.rule", 3, 2, title="t")
    fields = json.loads(row["extra"])
    assert row["_reasons"] == [{"rule": "a.rule", "score": 3.0, "threshold": 2.0}]
    assert (fields["language"], fields["licence"], fields["title"]) == ("und", "unknown", "t")
    assert "text" not in row


def test_lone_surrogates_are_replaced() -> None:
    assert sound("a\ud800b\U0001f600") == "a\ufffdb\U0001f600"
    row = kept(_place(), "x\udfff", url="http://\ud800", title="\udc00")
    assert json.dumps(row, ensure_ascii=False).encode()
