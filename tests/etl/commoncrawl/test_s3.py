"""Ranges from a real S3 server, through a proxy that breaks, and from one that refuses."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from etl.commoncrawl import RangeConfig, Selection, fetch_records
from etl.commoncrawl.loopback import Archive
from etl.commoncrawl.reader import Patient, Piece, RangeError, open_reader
from etl.storage.client import s3_client
from etl.storage.location import Location
from etl.storage.upload import upload_folder
from schemas.errors import InputError
from tests.s3_server import Fault, Proxy, S3Profile, faulty_proxy, settings

DATA = bytes(range(256)) * 400


@pytest.fixture
def proxy(s3_url: str) -> Iterator[Proxy]:
    with faulty_proxy(s3_url) as running:
        yield running


@pytest.fixture
def bucket(s3_url: str) -> str:
    name = f"cc-{uuid.uuid4().hex}"
    client = s3_client(settings(s3_url))
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="data/a.gz", Body=DATA)
    return name


@pytest.fixture
def ranges(proxy: Proxy, bucket: str) -> RangeConfig:
    return RangeConfig(
        base_url=f"s3://{bucket}/data", s3=settings(proxy.url), backoff_seconds=0.01,
        timeout_seconds=5, concurrency=4, shares=1, retries=2,
    )  # fmt: skip


def read(config: RangeConfig, path: str, *spans: tuple[int, int], to_end: bool = False) -> Piece:
    async def all_of_them() -> list[Piece]:
        async with open_reader(config) as reader:
            return [await reader.read(path, *span, to_end=to_end) for span in spans]

    return asyncio.run(all_of_them())[-1]


def test_the_bytes_of_the_range(ranges: RangeConfig) -> None:
    piece = read(ranges, "a.gz", (1_000, 2_000))
    assert piece.data == DATA[1_000:3_000]
    assert piece.total == len(DATA)
    assert piece.version
    assert read(ranges, "a.gz", (len(DATA) - 10, 99), to_end=True).data == DATA[-10:]
    with pytest.raises(RangeError) as caught:
        read(ranges, "a.gz", (len(DATA) - 10, 99))
    assert caught.value.error_class == "wrong_range"


@pytest.mark.parametrize(
    ("path", "offset", "error_class"),
    [("none.gz", 0, "http_404"), ("a.gz", len(DATA), "http_416")],
)
def test_a_bad_place_has_a_class(
    ranges: RangeConfig, path: str, offset: int, error_class: str
) -> None:
    with pytest.raises(RangeError) as caught:
        read(ranges, path, (offset, 10))
    assert (caught.value.error_class, caught.value.transient) == (error_class, False)


def test_an_answer_cut_off_is_asked_for_again(ranges: RangeConfig, proxy: Proxy) -> None:
    proxy.faults.append(Fault("GET", "a.gz", at=500, in_answer=True))
    with pytest.raises(RangeError) as caught:
        read(ranges, "a.gz", (0, 5_000))
    assert caught.value.transient
    proxy.faults.append(Fault("GET", "a.gz", at=500, in_answer=True))

    async def patiently() -> Piece:
        async with open_reader(ranges) as reader:
            return await Patient(reader, ranges).read("a.gz", 0, 5_000)

    assert asyncio.run(patiently()).data == DATA[:5_000]


def test_an_object_that_changes_is_never_spliced(
    ranges: RangeConfig, bucket: str, s3_url: str
) -> None:
    async def twice() -> tuple[RangeError, Piece]:
        async with open_reader(ranges) as reader:
            await reader.read("a.gz", 0, 10)
            s3_client(settings(s3_url)).put_object(Bucket=bucket, Key="data/a.gz", Body=DATA[::-1])
            with pytest.raises(RangeError) as caught:
                await reader.read("a.gz", 10, 10)
            return caught.value, await reader.read("a.gz", 10, 10)

    error, piece = asyncio.run(twice())
    assert (error.error_class, error.transient) == ("changed", True)
    assert piece.data == DATA[::-1][10:20]


def test_requests_in_flight_are_bounded(ranges: RangeConfig) -> None:
    async def many() -> int:
        async with open_reader(ranges) as reader:
            pieces = [reader.read("a.gz", at, 100) for at in range(0, 4_000, 100)]
            assert b"".join(p.data for p in await asyncio.gather(*pieces)) == DATA[:4_000]
            return sum(thread.name.startswith("s3-ranges") for thread in threading.enumerate())

    assert 1 <= asyncio.run(many()) <= 4


def test_nobody_listens(ranges: RangeConfig) -> None:
    gone = dataclasses.replace(ranges, s3=settings("http://127.0.0.1:9"))
    with pytest.raises(RangeError) as caught:
        read(gone, "a.gz", (0, 1))
    assert (caught.value.error_class, caught.value.transient) == ("network_error", True)


def test_without_credentials_it_does_not_start(
    ranges: RangeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"no credentials.*https://"):
        read(ranges, "a.gz", (0, 1))


@contextmanager
def _refusing(status: int, code: str, **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [(503, "SlowDown", True), (500, "InternalError", True), (403, "AccessDenied", False)],
)
def test_a_refusal_has_a_class(
    ranges: RangeConfig, status: int, code: str, transient: bool
) -> None:
    with (
        _refusing(status, code, Retry_After="3") as url,
        pytest.raises(RangeError, match=code) as caught,
    ):
        read(dataclasses.replace(ranges, s3=settings(url)), "a.gz", (0, 1))
    assert (caught.value.error_class, caught.value.transient) == (f"http_{status}", transient)
    assert caught.value.wait == 3.0


@pytest.mark.spark
def test_index_and_records_from_s3(
    spark: SparkSession, archive: Archive, s3_profile: S3Profile, tmp_path: Path
) -> None:
    root = f"{s3_profile.root}/archive"
    upload_folder(archive.root, Location.parse(root), s3_profile.s3)
    config = RangeConfig(base_url=root, s3=s3_profile.s3, shares=2, concurrency=8)
    index = f"{root}/{Path(archive.index).relative_to(archive.root)}"
    out = tmp_path / "out"
    selection = Selection(crawls=(archive.crawl,), limit=50)
    report = fetch_records(spark, index, str(out), selection, config)
    assert (report.kept, report.quarantined) == (50, 0)
    originals = {row["url"]: row for row in archive.rows}
    for row in pq.read_table(out / "_records").to_pylist():
        data = (out / "warc" / row["warc_file"]).read_bytes()
        start = row["warc_offset"]
        assert data[start : start + row["warc_length"]] == archive.original(originals[row["url"]])
