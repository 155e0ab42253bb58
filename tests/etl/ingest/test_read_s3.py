"""Every format read from a real S3 server gives what the same files give from a folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.read import read_records
from etl.ingest.warc import capture, read_at
from etl.storage.files import located
from etl.storage.location import Location
from etl.storage.upload import upload_folder
from schemas.errors import InputError
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_PAGE = b"<!doctype html><html><title>T</title><body><p>A page with a sentence.</p></body></html>"


def _record(number: int) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + _PAGE + b"%d" % number
    head = (
        "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        f"WARC-Target-URI: http://example.org/{number}\r\nContent-Type: application/http\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "pages.warc.gz").write_bytes(b"".join(map(_record, range(200))))
    rows = "".join(json.dumps({"id": f"r{n}", "text": f"row {n}", "n": n}) + "\n" for n in range(9))
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    (folder / "sub" / "page [1].html").write_bytes(_PAGE)
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(rows.encode())[:-9])
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "_hidden.jsonl").write_bytes(b"{}")
    pq.write_table(pa.table({"id": ["p"], "text": ["from Parquet"]}), folder / "t [a].parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 broken")
    return folder


def test_the_same_records_from_s3(spark: SparkSession, s3_profile: S3Profile, corpus: Path) -> None:
    root = f"{s3_profile.root}/in/corpus"
    upload_folder(corpus, Location.parse(root), s3_profile.s3)
    config = IngestConfig(s3=s3_profile.s3)

    def rows(path: str, where: str) -> list[tuple]:
        frame = read_records(spark, path, config).frame
        columns = ["_verdict", "text", "html", "n", "source_offset", "source_length",
                   "_error_class"]  # fmt: skip
        found = frame.select("source_file", "_pointer", *columns).collect()
        told = [
            (*(None if v is None else v.replace(where, "") for v in row[:2]), *row[2:])
            for row in found
        ]
        return sorted(told, key=repr)

    here = rows(str(corpus), str(corpus))
    there = rows(root, root)
    assert there == here
    assert len(there) == 200 + 9 + 1 + 1 + 1 + 9 + 1 + 1  # the cut file gives its rows, and a row
    (single,) = read_records(spark, f"{root}/sub/page [1].html", config).kept().collect()
    assert (single["html"], single["url"]) == (_PAGE, f"{root}/sub/page [1].html")


def test_a_record_s_place_leads_to_its_bytes(
    spark: SparkSession, s3_profile: S3Profile, corpus: Path
) -> None:
    place = Location.parse(f"{s3_profile.root}/in")
    upload_folder(corpus, place, s3_profile.s3, "*.warc.gz")
    rows = read_records(spark, str(place), IngestConfig(s3=s3_profile.s3)).kept()
    found = rows.where("url like '%/1_7'").collect()
    assert len(found) == 10
    with located(f"{place}/pages.warc.gz", s3_profile.s3).open("rb") as file:
        for row in found:
            span = read_at(file, row["source_offset"], row["source_length"], 1 << 20)
            captured = capture(span.data, 1 << 20)
            assert captured is not None
            assert (captured.url, captured.body) == (row["url"], row["html"])


def test_delta_is_read_from_s3(spark: SparkSession, s3_profile: S3Profile) -> None:
    frame = spark.createDataFrame([("a", "text of a")], "id string, text string")
    frame.write.format("delta").save(f"{s3_profile.root.replace('s3:', 's3a:')}/table")
    read = read_records(spark, f"{s3_profile.root}/table", IngestConfig(s3=s3_profile.s3))
    assert [row["text"] for row in read.kept().collect()] == ["text of a"]


def test_what_is_not_there_is_named(spark: SparkSession, s3_profile: S3Profile) -> None:
    config = IngestConfig(s3=s3_profile.s3)
    with pytest.raises(InputError, match="no such file or folder"):
        read_records(spark, f"{s3_profile.root}/nothing", config)
    with pytest.raises(InputError, match="no bucket nowhere-to-be-found"):
        read_records(spark, "s3://nowhere-to-be-found/x", config)
    with pytest.raises(InputError, match="give a local path or s3://"):
        read_records(spark, "gs://bucket/x", config)
