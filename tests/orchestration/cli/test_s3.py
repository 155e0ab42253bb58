"""The verbs alone, local to S3 and back, against a real S3 server over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl.sample_site import build_site
from etl.sample_site.server import serve
from etl.storage.client import s3_client
from etl.storage.download import download_folder
from etl.storage.location import Location
from etl.tables.store import Store
from orchestration.cli.main import main
from schemas.tables import DOCUMENTS, FETCHES
from tests.s3_server import S3Profile, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

PROSE = (
    "The harbour wakes before the town does, and the first boats are out while the lamps still "
    "burn along the quay. An old man mends his nets there with the patience of someone who has "
    "done so for fifty years, and he tells the children of the storms that he has seen. They "
    "listen, because the stories change a little every time, and because it is warm behind the "
    "wall. When the bell rings they run to school, and the man goes on with his work as before."
)


def run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capfd.readouterr()
    status = main([*argv, "--json"])
    captured = capfd.readouterr()
    assert status == 0, captured.err
    report: dict[str, Any] = json.loads(captured.out)
    return report


def table(spark: SparkSession, path: str) -> list[dict[str, Any]]:
    frame = spark.read.format("delta").load(path.replace("s3:", "s3a:"))
    return sorted((row.asDict() for row in frame.collect()), key=lambda row: str(row["id"]))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    rows: list[Any] = [
        {"id": "good", "text": PROSE, "topic": "sea"},
        {"id": "copy", "text": PROSE, "topic": "sea"},
        {"id": "thin", "text": "Too short.", "topic": "none"},
        {"id": "mail", "text": f"{PROSE} Write to nobody.here@example.org for more."},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "{not json"]) + "\n")
    return path


def test_ingest_to_s3_and_back(
    spark: SparkSession, s3_profile: S3Profile, documents: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    there, back, here = f"{s3_profile.root}/raw", tmp_path / "back", tmp_path / "here"
    report = run(["ingest", str(documents), there], capfd)
    assert (report["in"], report["kept"], report["quarantined"]) == (5, 4, 1)
    assert report["outputs"] == {"documents": there, "quarantined": f"{there}/_quarantined"}
    run(["ingest", there, str(back)], capfd)
    run(["ingest", str(documents), str(here)], capfd)
    columns = ("id", "text", "topic")
    assert [[row[name] for name in columns] for row in table(spark, str(back))] == [
        [row[name] for name in columns] for row in table(spark, str(here))
    ]
    # From S3 to S3; what an earlier run wrote and this one did not is gone.
    rows = [row for row in documents.read_text().splitlines() if row != "{not json"]
    documents.write_text("\n".join(rows))
    report = run(["ingest", str(documents), there], capfd)
    assert report["outputs"] == {"documents": there}
    assert not s3_profile.keys("raw/_quarantined")
    assert len(table(spark, there)) == 4


def test_the_text_verbs_from_s3_to_s3(
    spark: SparkSession, s3_profile: S3Profile, documents: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = s3_profile.root
    run(["ingest", str(documents), f"{root}/raw"], capfd)
    report = run(["filter", f"{root}/raw", f"{root}/good"], capfd)
    assert (report["kept"], sum(report["rejected"].values())) == (3, 1)
    report = run(["dedup", f"{root}/good/kept", f"{root}/unique"], capfd)
    assert (report["kept"], sum(report["rejected"].values())) == (1, 2)
    report = run(["scrub", f"{root}/good/kept", f"{root}/clean"], capfd)
    assert report["kept"] == 3
    assert "nobody.here" not in json.dumps(table(spark, f"{root}/clean/kept"), default=str)


def test_a_stranger_s_prefix_and_parquet_are_refused(
    s3_profile: S3Profile, documents: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Location.parse(f"{s3_profile.root}/precious/file")
    s3_client(s3_profile.s3).put_object(Bucket=place.bucket, Key=place.key, Body=b"x")
    assert main(["ingest", str(documents), f"{s3_profile.root}/precious"]) == 2
    assert "did not write; name another prefix" in capfd.readouterr().err
    assert main(["ingest", str(documents), f"{s3_profile.root}/p", "--format", "parquet"]) == 2
    assert "cannot be committed whole on S3" in capfd.readouterr().err
    assert main(["ingest", f"{s3_profile.root}/none", f"{s3_profile.root}/out"]) == 2
    assert s3_profile.keys() == ["precious/file"]


def test_a_crawl_to_s3_is_extracted_from_there(
    spark: SparkSession, s3_profile: S3Profile, seed: int, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from etl.extract.job import ExtractConfig, extract_snapshot

    crawl = {"contact": "https://example.org/bot", "delay_seconds": 0, "timeout_seconds": 3,
             "retries": 0, "allow_private_addresses": True}  # fmt: skip
    s3_profile.write(crawl={"config": crawl}, source="site")
    out, seeds = f"{s3_profile.root}/crawled", tmp_path / "seeds.txt"
    with serve(build_site(seed, pages=120)) as server:
        seeds.write_text("\n".join(server.seeds))
        first = run(["crawl", "--seeds", str(seeds), out], capfd)
        second = run(["crawl", "--seeds", str(seeds), out], capfd)
    assert second["changed"] < first["changed"]
    snapshot = first["snapshot"]
    assert first["outputs"]["warc"] == f"{out}/warc/{snapshot}"
    uploaded = download_folder(Location.parse(f"{out}/warc"), tmp_path / "warc", s3_profile.s3)
    assert uploaded.files == 2
    (mine,) = (s3_profile.home / "crawls").rglob(f"{snapshot}/*.warc.gz")
    assert (tmp_path / "warc" / snapshot / mine.name).read_bytes() == mine.read_bytes()
    # The store and the WARC files on S3 are all that extraction reads.
    store = Store(spark, f"{out}/store")
    mine.unlink()
    report = extract_snapshot(store, f"{out}/warc", snapshot, ExtractConfig(), s3_profile.s3)
    fetched = store.read(FETCHES).where(f"snapshot = '{snapshot}' AND verdict = 'fetched'").count()
    assert report.rows_in == fetched > 20
    assert store.read(DOCUMENTS).count() == report.kept > 20
    # Storage that fails is no fault of the pages: the step fails, and nothing is quarantined.
    dead = settings("http://127.0.0.1:9", max_attempts=1)
    with pytest.raises(Exception, match=r"check s3\.endpoint_url and the network"):
        extract_snapshot(store, f"{out}/warc", snapshot, ExtractConfig(), dead)
    assert store.read(DOCUMENTS).count() == report.kept
    pages = run(["extract", f"{out}/warc/{snapshot}", str(tmp_path / "pages")], capfd)
    assert pages["kept"] == report.kept
