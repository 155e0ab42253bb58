"""`foundry commoncrawl` against an archive on loopback, up to documents; killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from etl.commoncrawl.loopback import Archive, Fault, RangeServer, build_archive, serve_ranges
from orchestration.cli.main import main
from orchestration.profile import PROFILE_VARIABLE

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Archive:
    return build_archive(tmp_path_factory.mktemp("archive"), seed, pages=400)


@pytest.fixture
def server(archive: Archive) -> Iterator[RangeServer]:
    with serve_ranges(archive.root) as running:
        yield running


@pytest.fixture(autouse=True)
def _profile(tmp_path: Path, server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = {
        "name": "here",
        "crawl": {"config": {"contact": "mailto:me@example.org"}},
        "spark": {"master": "local[2]", "quick_start": True, "driver_memory": "2g"},
        "commoncrawl": {"base_url": server.url, "allow_private_addresses": True, "gap_bytes": 0,
                        "request_bytes": 200_000, "backoff_seconds": 0.01, "concurrency": 4},
    }  # fmt: skip
    (tmp_path / "profile.yaml").write_text(json.dumps(profile))
    monkeypatch.setenv(PROFILE_VARIABLE, str(tmp_path / "profile.yaml"))


def _run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*argv, "--json"]) == 0
    report: dict[str, Any] = json.loads(capfd.readouterr().out.splitlines()[-1])
    placed = report["kept"] + sum(report["rejected"].values()) + report["quarantined"]
    assert report["in"] == placed
    return report


def test_records_become_documents(
    spark: SparkSession,
    archive: Archive,
    server: RangeServer,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / "out")
    argv = ["commoncrawl", out, "--index", archive.index, "--crawl", archive.crawl]
    argv += ["--language", "eng", "--language", "deu", "--mime", "text/html", "--limit", "60"]
    report = _run(argv, capfd)
    assert report["verb"] == "commoncrawl"
    assert (report["in"], report["kept"], report["requests"]) == (60, 60, 60)
    documents = _run(
        ["extract", out, str(tmp_path / "docs"), "--format", "parquet"], capfd
    )  # the folder that the verb wrote is the next verb's input
    assert documents["in"] == 60
    origins = pq.read_table(Path(out, "_records")).to_pylist()
    places = {(row["warc_file"], row["warc_offset"]): row["url"] for row in origins}
    found = pq.read_table(tmp_path / "docs").to_pylist()
    assert found
    for document in found:
        place = Path(document["source_file"]).name, document["source_offset"]
        assert places[place] == document["url"]


def test_whole_files_land(
    spark: SparkSession,
    archive: Archive,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / "landing")
    argv = ["commoncrawl", out, "--paths", str(archive.paths("wet")), "--limit", "2"]
    report = _run(argv, capfd)
    assert (report["in"], report["kept"]) == (2, 2)
    read = _run(["ingest", out, str(tmp_path / "docs"), "--format", "parquet"], capfd)
    assert read["kept"] > 100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--index", "INDEX"], "crawls is empty"),
        (["--index", "INDEX", "--crawl", "CC-MAIN-2013-20"], "CC-MAIN-2013-20"),
        (["--index", "INDEX", "--crawl", "C", "--language", "english"], "english"),
        (["--index", "INDEX", "--crawl", "C", "--sample", "2"], "sample is 2"),
        (["--index", "nowhere", "--crawl", "C"], "nowhere"),
        (["--index", "INDEX", "--crawl", "C", "--base-url", "ftp://a/"], "base_url"),
        (["--index", "INDEX", "--crawl", "CC-MAIN-2026-30", "--base-url", "s3://cc/"], "s3://"),
        (["--paths", "PATHS", "--domain", "a.org"], "--domain"),
        (["--paths", "PATHS", "--limit", "-1"], "--limit"),
        (["--paths", "INDEX"], "warc.paths.gz"),
    ],
)
def test_bad_usage_writes_nothing(
    spark: SparkSession,
    archive: Archive,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    real = {"INDEX": archive.index, "PATHS": str(archive.paths("warc"))}
    out = tmp_path / "out"
    assert main(["commoncrawl", str(out), *(real.get(o, o) for o in options)]) == 2
    assert says in capfd.readouterr().err
    assert not out.exists()


def test_killed_whole_and_run_again(archive: Archive, server: RangeServer, tmp_path: Path) -> None:
    """The command, its JVM and its workers die at once; the next run asks for nothing twice."""
    server.fault = lambda hit: Fault.SLOW
    out = tmp_path / "out"
    command = [sys.executable, "-m", "orchestration.cli.main", "commoncrawl", str(out)]
    command += ["--index", archive.index, "--crawl", archive.crawl, "--json"]
    root = str(Path(__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": root}
    with subprocess.Popen(command, env=environment, start_new_session=True) as child:
        until = time.monotonic() + 120
        while len(server.hits) < 100 and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(child.pid, signal.SIGKILL)
    time.sleep(1)  # workers of the dead JVM end with their sockets
    asked = {(hit.path, hit.offset) for hit in server.hits}
    journals = (out / "_work").glob("*.journal")
    kept = sum(len(path.read_text().splitlines()) for path in journals)
    assert len(asked) - 4 <= kept < len(archive.rows) - 100
    server.hits.clear()
    server.fault = lambda hit: Fault.NONE
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["kept"] == report["in"]
    assert len(server.hits) == report["in"] - kept
    assert "records" in done.stderr or report["seconds"] < 2.5
