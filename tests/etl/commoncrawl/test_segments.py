from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from etl.commoncrawl import RangeConfig, download_segments
from etl.commoncrawl.loopback import Archive, Fault, RangeServer
from etl.commoncrawl.reader import open_reader
from etl.commoncrawl.segments import _Share, read_paths
from etl.ingest.read import read_records
from schemas.errors import InputError, StepError


@pytest.fixture
def chunks(config: RangeConfig) -> RangeConfig:
    return dataclasses.replace(config, request_bytes=20_000, shares=2, concurrency=2)


def test_whole_segments_land_and_are_ingested(
    spark: SparkSession, archive: Archive, server: RangeServer, chunks: RangeConfig, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    for kind in ("warc", "wet"):
        report = download_segments(spark, str(archive.paths(kind)), str(landing), chunks)
        assert (report.rows_in, report.kept, report.quarantined) == (4, 4, 0)
        for path in read_paths(archive.paths(kind)):
            assert (landing / path).read_bytes() == (archive.root / path).read_bytes()
    hits = len(server.hits)
    download_segments(spark, str(archive.paths("warc")), str(landing), chunks)
    assert len(server.hits) == hits
    shown = [p for p in landing.rglob("*") if p.is_file() and p.parts[-2] != ".commoncrawl"]
    assert len(shown) == 8  # no partial file is left
    rows = read_records(spark, str(landing)).frame.where("_verdict = 'kept'")
    pages = {row["url"] for row in rows.where("text IS NULL").select("url").collect()}
    texts = rows.where("text IS NOT NULL").count()
    assert pages == {row["url"] for row in archive.rows}
    assert texts > 1_000


def test_a_missing_file_is_noted_and_the_rest_comes(
    spark: SparkSession, archive: Archive, server: RangeServer, chunks: RangeConfig, tmp_path: Path
) -> None:
    first = read_paths(archive.paths("wet"))[0]
    (tmp_path / "list").write_text(f"{first}\nno/such.warc.gz\n")
    report = download_segments(spark, str(tmp_path / "list"), str(tmp_path / "l"), chunks)
    assert (report.kept, report.quarantined) == (1, 1)
    (noted,) = (tmp_path / "l" / ".commoncrawl").glob("*.missing")
    assert json.loads(noted.read_text())["path"] == "no/such.warc.gz"


def test_an_error_stops_it_and_the_next_run_goes_on(
    archive: Archive, server: RangeServer, chunks: RangeConfig, tmp_path: Path
) -> None:
    path = read_paths(archive.paths("warc"))[0]
    size = (archive.root / path).stat().st_size
    (tmp_path / ".commoncrawl").mkdir()
    eager = dataclasses.replace(chunks, retries=0)

    def run() -> None:
        asyncio.run(_Share(tmp_path, 0, eager).run([path], open_reader))

    server.fault = lambda hit: Fault.TRUNCATED if hit.offset >= 60_000 else Fault.NONE
    with pytest.raises(StepError, match="run the same command again"):
        run()
    assert not (tmp_path / path).exists()
    server.fault = lambda hit: Fault.NONE
    server.hits.clear()
    run()
    assert (tmp_path / path).read_bytes() == (archive.root / path).read_bytes()
    assert min(hit.offset for hit in server.hits) == 60_000
    assert sum(min(hit.length, size - hit.offset) for hit in server.hits) == size - 60_000


def test_a_file_that_changed_meanwhile_begins_anew(
    archive: Archive, server: RangeServer, chunks: RangeConfig, tmp_path: Path
) -> None:
    changing = archive.root / "changing.bin"
    changing.write_bytes(b"a" * 100_000)
    (tmp_path / ".commoncrawl").mkdir()
    server.fault = lambda hit: Fault.MISSING if hit.offset >= 40_000 else Fault.NONE
    share = _Share(tmp_path, 0, chunks)
    asyncio.run(share.run(["changing.bin"], open_reader))
    assert share._counts["missing"] == 1
    changing.write_bytes(b"b" * 90_000)
    server.fault = lambda hit: Fault.NONE
    asyncio.run(_Share(tmp_path, 0, chunks).run(["changing.bin"], open_reader))
    assert (tmp_path / "changing.bin").read_bytes() == b"b" * 90_000
    changing.unlink()


_CHILD = """
import asyncio, json, sys
from pathlib import Path
from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.reader import open_reader
from etl.commoncrawl.segments import _Share
paths, folder, config = json.loads(sys.argv[1])
asyncio.run(_Share(Path(folder), 0, RangeConfig(**config)).run(paths, open_reader))
"""


def test_killed_it_goes_on(
    archive: Archive, server: RangeServer, chunks: RangeConfig, tmp_path: Path
) -> None:
    paths = read_paths(archive.paths("warc"))
    (tmp_path / ".commoncrawl").mkdir()
    server.fault = lambda hit: Fault.SLOW
    stated = json.dumps([paths, str(tmp_path), dataclasses.asdict(chunks)])
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    for stop_at in (15, 30):
        with subprocess.Popen([sys.executable, "-c", _CHILD, stated], env=environment) as child:
            until = time.monotonic() + 60
            while len(server.hits) < stop_at and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(child.pid, signal.SIGKILL)
    server.fault = lambda hit: Fault.NONE
    asyncio.run(_Share(tmp_path, 0, chunks).run(paths, open_reader))
    for path in paths:
        assert (tmp_path / path).read_bytes() == (archive.root / path).read_bytes()
    assert sum(count - 1 for count in server.seen.values()) <= 2 * 2  # in flight at each kill


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no path"), (b"\x1f\x8b\x08broken", "paths.gz"), (b"../../x\n", "line 1"),
        (b"a/b\nhttp://h/x\n", "line 2"), (gzip.compress(b"\n\n"), "no path"),
        (gzip.compress(b"a/b\n")[:-4], "paths.gz"),
    ],
)  # fmt: skip
def test_a_list_that_is_none(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_paths(tmp_path / "list")
    with pytest.raises(InputError):
        read_paths(tmp_path / "none")
