"""From the fetch log and WARC files to documents, and from files to documents."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl.extract.job import ExtractConfig, extract_files, extract_frame, extract_snapshot
from etl.ingest.config import IngestConfig
from etl.ingest.job import ingest_snapshot
from etl.tables.store import spark_schema
from schemas.identity import doc_id, sha256_hex, uri_id
from schemas.tables import DOCUMENTS, FETCHES, QUARANTINE, REJECTED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.tables.store import Store

pytestmark = pytest.mark.spark

_SENTENCES = "The harbour was built in three years by the town itself, and paid for by a toll. " * 6
_PAGE = f"<html><head><title>Harbour</title></head><body><p>{_SENTENCES}</p></body></html>".encode()
_CHINESE = "这个港口是镇上自己用三年时间修建的，费用来自盐税。没有人想到冰面能承受铁路货车。" * 4
_GBK = (
    f'<html><head><meta charset="utf-8"><title>港口</title></head><body><p>{_CHINESE}</p>'
    '<footer><a rel=license href="https://creativecommons.org/licenses/by/4.0/">CC</a></footer>'
).encode("gbk")
_BODIES = {
    "good": _PAGE,
    "gbk": _GBK,
    "empty": b"",
    "nul": b"\0" * 500,
    "silent": b"<html><body><script>x()</script></body></html>",
}


def _record(url: str, body: bytes) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


def _fetch(name: str, offset: int, length: int, body: bytes) -> dict[str, Any]:
    url = f"http://example.org/{name}"
    row = dict.fromkeys(FETCHES.column_names)
    return row | {
        "snapshot": "2026-01-01", "uri_id": uri_id("web", url), "url": url, "host": "example.org",
        "source": "web", "verdict": "fetched", "http_status": 200, "bytes": len(body),
        "content_type": "text/html; charset=utf-8", "content_sha256": sha256_hex(body),
        "warc_file": "2026-01-01/a.warc.gz", "warc_offset": offset, "warc_length": length,
        "fetched_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    }  # fmt: skip


def _crawled(store: Store, root: Path) -> None:
    (root / "2026-01-01").mkdir(parents=True)
    data, rows = b"", []
    for name, body in _BODIES.items():
        record = _record(f"http://example.org/{name}", body)
        rows.append(_fetch(name, len(data), len(record), body))
        data += record
    rows.append(_fetch("lost", 0, 10, b"x") | {"warc_file": "2026-01-01/lost.warc.gz"})
    rows.append(rows[0] | _fetch("other", 0, rows[0]["warc_length"], b"not these bytes"))
    rows.append(_fetch("gone", 0, 1, b"") | {"verdict": "gone"})
    (root / "2026-01-01" / "a.warc.gz").write_bytes(data)
    frame = store.spark.createDataFrame(rows, spark_schema(FETCHES))
    store.replace(FETCHES, frame, {"snapshot": "2026-01-01"})


def test_a_snapshot_ends_in_documents_rejected_and_quarantine(store: Store, tmp_path: Path) -> None:
    _crawled(store, tmp_path / "warc")
    report = extract_snapshot(store, str(tmp_path / "warc"), "2026-01-01", ExtractConfig())
    assert (report.rows_in, report.kept, report.quarantined) == (7, 2, 4)
    assert report.rejected == {"extract.no_text": 1}
    documents = {row["url"].rsplit("/", 1)[1]: row for row in store.read(DOCUMENTS).collect()}
    good, chinese = documents["good"], documents["gbk"]
    assert good["doc_id"] == doc_id(uri_id("web", good["url"]), sha256_hex(_PAGE))
    assert good["text_sha256"] == sha256_hex(good["text"].encode())
    assert (good["title"], good["language"], good["licence"]) == ("Harbour", "eng", "unknown")
    assert (chinese["text"], chinese["title"]) == (_CHINESE, "港口")
    assert (chinese["language"], chinese["licence"]) == ("cmn_Hans", "CC-BY-4.0")
    classes = {row["item_id"]: row["error_class"] for row in store.read(QUARANTINE).collect()}
    expected = {
        "empty": "empty_body", "nul": "binary", "lost": "missing_warc", "other": "digest_mismatch"
    }  # fmt: skip
    assert classes == {
        uri_id("web", f"http://example.org/{name}"): kind for name, kind in expected.items()
    }
    assert [row["url"] for row in store.read(REJECTED).collect()] == ["http://example.org/silent"]

    again = extract_snapshot(store, str(tmp_path / "warc"), "2026-01-01", ExtractConfig())
    assert again == report
    stable = DOCUMENTS.stable_columns
    rows = {row["url"].rsplit("/", 1)[1]: row for row in store.read(DOCUMENTS).collect()}
    assert [rows[name][c] for name in rows for c in stable] == [
        documents[name][c] for name in rows for c in stable
    ]


def test_files_become_documents_and_counts_reconcile(store: Store, tmp_path: Path) -> None:
    data = b"".join(_record(f"http://example.org/{n}", body) for n, body in _BODIES.items())
    (tmp_path / "a.warc.gz").write_bytes(data + b"garbage")
    (tmp_path / "b.html").write_bytes(_PAGE)
    (tmp_path / "c.jsonl").write_text(f'{{"id":"x","text":"{_SENTENCES}","n":1}}\nbroken\n')
    decided = extract_files(store.spark, str(tmp_path), ExtractConfig())
    assert decided.kept().columns[:8] == [
        "id", "url", "text", "title", "language", "language_score", "licence", "licence_evidence"
    ]  # fmt: skip
    report = decided.report("extract")
    assert (report.rows_in, report.kept, report.quarantined) == (9, 4, 4)
    assert report.rejected == {"extract.no_text": 1}


def test_landed_files_become_a_snapshot(store: Store, tmp_path: Path) -> None:
    record = _record("http://example.org/a", _PAGE)
    (tmp_path / "a.warc.gz").write_bytes(record + record)
    (tmp_path / "c.jsonl").write_text(f'{{"id":"x","text":"{_SENTENCES}"}}\nbroken\n')
    files = [str(tmp_path / name) for name in ("a.warc.gz", "c.jsonl")]
    report = ingest_snapshot(
        store, files, IngestConfig(source="landing"), "landing-1", ExtractConfig()
    )
    assert (report.rows_in, report.kept, report.quarantined) == (4, 2, 2)
    classes = {row["error_class"] for row in store.read(QUARANTINE).collect()}
    assert classes == {"same_record", "not_json"}
    page = store.read(DOCUMENTS).where("url = 'http://example.org/a'").collect()[0]
    assert page["uri_id"] == uri_id("landing", "http://example.org/a")
    assert (page["warc_offset"], page["warc_length"]) == (0, len(record))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="max_depth"):
        ExtractConfig(max_depth=0)


def test_a_record_states_its_licence_in_a_field(spark: SparkSession) -> None:
    statement = {"kind": "dataset_card", "licence": "ODC-By-1.0", "text": "odc-by", "place": "card"}
    rows = [
        ("1", _SENTENCES, "MIT License", None, None),
        ("2", _SENTENCES, None, None, None),
        ("3", _SENTENCES, "odc-by", "card.md", [statement, statement | {"kind": "rumour"}]),
    ]
    evidence = "array<struct<kind:string,licence:string,text:string,place:string>>"
    names = "id string, text string, licence string, licence_evidence string"
    frame = spark.createDataFrame(rows, f"{names}, licence_statements {evidence}")
    kept = extract_frame(frame, ExtractConfig()).kept().orderBy("id").collect()
    assert [row["licence"] for row in kept] == ["MIT", "unknown", "ODC-By-1.0"]
    assert [row["licence_evidence"] for row in kept] == ["field: MIT License", None, "card.md"]
    kinds = [[one["kind"] for one in row["licence_statements"]] for row in kept]
    assert kinds == [["field"], [], ["dataset_card"]]
