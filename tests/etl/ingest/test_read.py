"""Input of every kind through Spark: the bad is set aside, the good goes on, counts add up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from etl.ingest.config import IngestConfig
from etl.ingest.read import read_records
from schemas.errors import InputError
from schemas.identity import derived_id

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_PAGE = b"<!doctype html><html><title>T</title><body><p>A page with a sentence.</p></body></html>"


def _warc(body: bytes, stated: int | None = None) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = (
        "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        "WARC-Target-URI: http://example.org/a\r\nContent-Type: application/http\r\n"
        f"Content-Length: {len(block) if stated is None else stated}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


@pytest.fixture(scope="module")
def bad_input(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind of bad input, each with good input around it."""
    folder = tmp_path_factory.mktemp("input")
    rows = b"".join(b'{"id":"r%d","text":"row %d"}\n' % (n, n) for n in range(20_000))
    packed = gzip.compress(rows)
    (folder / "truncated.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    wrong = gzip.compress(_warc(_PAGE, stated=9999))
    (folder / "wrong.warc.gz").write_bytes(gzip.compress(_warc(_PAGE)) + wrong)
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "huge.html").write_bytes(b"<html><p>" + b"a " * 25_000_000)
    (folder / "nul.html").write_bytes(b"\0" * 10_000)
    (folder / "mixed.jsonl").write_bytes(
        b'{"id":1,"text":"one","lang":"en","n":1}\n'
        b"not json\n"
        b'{"id":2}\n'
        b'{"text":"\xff\xfe"}\n'
        b'{"text":"without an id","n":2.5,"tags":["a"]}\n'
        b'{"id":"s","text":"\\ud800 surrogate"}\n'
    )
    (folder / "sub").mkdir()
    (folder / "sub" / "page [1].html").write_bytes(_PAGE)
    (folder / "sub" / "noise.dat").write_bytes(b"\x00\x01")
    (folder / "broken.parquet").write_bytes(b"PAR1 broken")
    (folder / ".hidden.jsonl").write_bytes(b"{}")
    return folder


def test_bad_input_is_set_aside_with_its_reason(spark: SparkSession, bad_input: Path) -> None:
    with read_records(spark, str(bad_input)).persisted() as records:
        report = records.report("read")
        bad = records.quarantined().select("error_class", "message", "pointer").collect()
        kept = {row["id"]: row for row in records.kept().where("source_file not like '%trunc%'")
                .drop("html").collect()}  # fmt: skip
        truncated = records.kept().where("source_file like '%trunc%'").count()
        pages = records.kept().where("html is not null").count()
    found = {(row["error_class"], Path(row["pointer"].split("@")[0]).name) for row in bad}
    assert found == {
        ("truncated_gzip", "truncated.jsonl.gz"),
        ("wrong_length", "wrong.warc.gz"),
        ("empty_file", "empty.jsonl"),
        ("too_large", "huge.html"),
        ("not_json", "mixed.jsonl"),
        ("missing_text", "mixed.jsonl"),
        ("invalid_utf8", "mixed.jsonl"),
        ("unknown_format", "noise.dat"),
        ("corrupt_parquet", "broken.parquet"),
    }
    assert len(bad) == len(found) == report.quarantined
    assert all(row["message"] for row in bad)
    assert report.rows_in == report.kept + report.quarantined
    assert 1000 < truncated < 20_000
    assert pages == 3  # the good WARC record, the page, and the NULs, which extraction refuses
    assert kept["1"]["lang"] == "en"
    assert (kept["1"]["n"], kept[derived_id("without an id")]["n"]) == (1.0, 2.5)
    assert kept[derived_id("without an id")]["tags"] == ["a"]
    assert kept["s"]["text"] == "\ufffd surrogate"
    assert report.kept == truncated + len(kept)


def test_pointers_lead_to_the_bytes(spark: SparkSession, bad_input: Path) -> None:
    rows = read_records(spark, str(bad_input / "mixed.jsonl")).quarantined().collect()
    data = (bad_input / "mixed.jsonl").read_bytes()
    named = {}
    for row in rows:
        offset, length = map(int, row["pointer"].rsplit("@", 1)[1].split("+"))
        named[row["error_class"]] = data[offset : offset + length]
    assert named["not_json"] == b"not json\n"
    assert named["missing_text"] == b'{"id":2}\n'


def test_one_file_of_each_compression_gives_the_same(spark: SparkSession, tmp_path: Path) -> None:
    data = b'{"id":"a","text":"one"}\n{"id":"b","text":"two","meta":{"k":[1,2]}}\n'
    packs = {"plain": data, "gz": gzip.compress(data), "zst": zstandard.compress(data)}
    found = {}
    for name, packed in packs.items():
        (tmp_path / name).write_bytes(packed)
        rows = read_records(spark, str(tmp_path / name)).kept().orderBy("id").collect()
        found[name] = [(row["id"], row["text"], row["meta"]) for row in rows]
    assert found["plain"] == found["gz"] == found["zst"]
    assert found["plain"][1][2]["k"] == [1, 2]


def test_columns_of_text_input_are_tidy(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":"a","text":"t","source_file":"x","Text":"y"}\n')
    columns = read_records(spark, str(tmp_path / "a.jsonl")).kept().columns
    assert columns == [
        "id", "text", "url", "source", "source_file", "source_offset", "source_length",
        "extra_Text", "extra_source_file",
    ]  # fmt: skip


def test_fields_that_differ_in_case_stay_one_json_column(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":"a","text":"t","K":1,"k":2}\n')
    row = read_records(spark, str(tmp_path / "a.jsonl")).kept().first()
    assert row is not None
    assert json.loads(row["fields"]) == {"K": 1, "k": 2}


def test_parquet_and_delta(spark: SparkSession, tmp_path: Path) -> None:
    table = pa.table({"id": [7, None, 9], "text": ["a", "b", None], "score": [0.5, 1.5, 2.5]})
    (tmp_path / "parquet").mkdir()
    pq.write_table(table, tmp_path / "parquet" / "part-0.parquet")
    spark.read.parquet(str(tmp_path / "parquet")).write.format("delta").save(
        str(tmp_path / "delta")
    )
    for name in ("parquet", "delta"):
        records = read_records(spark, str(tmp_path / name))
        report = records.report("read")
        assert (report.rows_in, report.kept, report.quarantined) == (3, 2, 1)
        rows = {row["text"]: row for row in records.kept().collect()}
        assert rows["a"]["id"] == "7"
        assert rows["b"]["id"] == derived_id("b")
        assert rows["b"]["score"] == 1.5
        assert records.quarantined().collect()[0]["error_class"] == "missing_text"


@pytest.mark.parametrize("path", ["/nowhere/at/all", "gs://bucket/prefix"])
def test_input_that_is_not_there(spark: SparkSession, path: str) -> None:
    with pytest.raises(InputError, match=path):
        read_records(spark, path)


def test_input_without_anything_to_read(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no files"):
        read_records(spark, str(tmp_path))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no column `text`"):
        read_records(spark, str(tmp_path))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="max_record_bytes"):
        IngestConfig(max_record_bytes=0)
