"""From the index to WARC files and documents, through Spark."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from etl.commoncrawl import RangeConfig, Selection, fetch_records, with_origin
from etl.commoncrawl.loopback import Archive, Fault, RangeServer, serve_ranges
from etl.crawl.warc import digest
from etl.ingest.read import read_records
from schemas.errors import InputError, StepError


def test_a_thousand_records_by_index(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shared = dataclasses.replace(config, shares=8)
    selection = Selection(crawls=(archive.crawl,), limit=1_000)
    out = tmp_path / "out"
    server.fault = lambda hit: Fault.SLOW
    report = fetch_records(spark, archive.index, str(out), selection, shared)
    assert (report.rows_in, report.kept, report.quarantined) == (1_000, 1_000, 0)
    assert report.extra["requests"] == len(server.hits) == 1_000
    originals = {row["url"]: row for row in archive.rows}
    rows = pq.read_table(out / "_records").to_pylist()
    assert len({row["url"] for row in rows}) == 1_000
    for row in rows:
        data = (out / "warc" / row["warc_file"]).read_bytes()
        start = row["warc_offset"]
        assert data[start : start + row["warc_length"]] == archive.original(originals[row["url"]])
    assert len({row["warc_file"] for row in rows}) > 1

    again = fetch_records(spark, archive.index, str(out), selection, shared)
    assert again.kept == 1_000
    assert len(server.hits) == 1_000

    frame = with_origin(read_records(spark, str(out)).frame.where("_verdict = 'kept'"), str(out))
    documents = frame.collect()
    assert {d["url"] for d in documents} == {row["url"] for row in rows}
    assert all(
        digest(bytes(d["html"])) == "sha1:" + originals[d["url"]]["content_digest"]
        for d in documents
    )
    for document in documents:
        original = originals[document["url"]]
        assert document["origin_crawl"] == archive.crawl
        assert document["origin_file"] == original["warc_filename"]
        assert document["origin_offset"] == original["warc_record_offset"]
        assert document["origin_length"] == original["warc_record_length"]
        assert document["origin_digest"] == original["content_digest"]
        assert document["origin_fetched_at"].timestamp() == original["fetch_time"].timestamp()


def test_progress_is_told(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.fault = lambda hit: Fault.SLOW
    slow = dataclasses.replace(config, concurrency=1)
    selection = Selection(crawls=(archive.crawl,), limit=100)
    fetch_records(spark, archive.index, str(tmp_path / "out"), selection, slow)
    assert "of 100 records" in capsys.readouterr().err


def test_a_share_that_fails_is_said_and_the_rest_goes_on(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path
) -> None:
    down = {row["warc_filename"] for row in archive.rows[: len(archive.rows) // 2]}
    server.fault = lambda hit: Fault.ERROR if hit.path in down else Fault.NONE
    eager = dataclasses.replace(config, shares=4, retries=0, max_failures=3)
    selection = Selection(crawls=(archive.crawl,))
    out = tmp_path / "out"
    with pytest.raises(StepError, match="in a row failed"):
        fetch_records(spark, archive.index, str(out), selection, eager)
    server.fault = lambda hit: Fault.NONE
    report = fetch_records(spark, archive.index, str(out), selection, eager)
    assert report.kept == report.rows_in > 1_000


def test_another_selection_does_not_mix(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    first = Selection(crawls=(archive.crawl,), limit=5)
    fetch_records(spark, archive.index, out, first, config)
    with pytest.raises(InputError, match="another selection"):
        fetch_records(spark, archive.index, out, dataclasses.replace(first, limit=6), config)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="files of others"):
        fetch_records(spark, archive.index, str(tmp_path / "mine"), first, config)


def test_nothing_chosen(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path
) -> None:
    none = Selection(crawls=(archive.crawl,), languages=("tlh",))
    report = fetch_records(spark, archive.index, str(tmp_path / "out"), none, config)
    assert (report.rows_in, report.kept, server.hits) == (0, 0, [])


def test_a_private_address_is_refused_and_nothing_is_written(
    spark: SparkSession, archive: Archive, server: RangeServer, config: RangeConfig, tmp_path: Path
) -> None:
    strict = dataclasses.replace(config, allow_private_addresses=False)
    one = Selection(crawls=(archive.crawl,), limit=1)
    with pytest.raises(InputError, match="no public address"):
        fetch_records(spark, archive.index, str(tmp_path / "out"), one, strict)
    assert not server.hits
    assert not (tmp_path / "out").exists()


def test_real_records_by_their_places(
    spark: SparkSession, config: RangeConfig, sample_data: Path, tmp_path: Path, archive: Archive
) -> None:
    """A real file of Common Crawl, with an index made from it, through the same way."""
    import pyarrow as pa
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    from etl.commoncrawl.loopback.archive import INDEX_SCHEMA

    root = tmp_path / "root"
    shutil.copytree(sample_data / "warc", root / "real")
    name = "real/whirlwind.warc.gz"
    data = (root / name).read_bytes()
    found = [
        (record.stream_pos, record.record_type, dict(record.headers))
        for record in ArchiveIterator(str(root / name), parse_http=False)
    ]
    ends = [place for place, *_ in found[1:]] + [len(data)]
    rows = [
        {
            "url": headers["WARC-Target-URI"], "fetch_status": 200, "warc_filename": name,
            "content_digest": headers["WARC-Payload-Digest"].removeprefix("sha1:"),
            "warc_record_offset": start, "warc_record_length": end - start,
        }
        for (start, kind, headers), end in zip(found, ends, strict=True)
        if kind == WarcRecordType.response
    ]  # fmt: skip
    folder = tmp_path / "index" / "crawl=CC-MAIN-2024-22" / "subset=warc"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, INDEX_SCHEMA), folder / "a.parquet")
    out = tmp_path / "out"
    with serve_ranges(root) as server:
        real = dataclasses.replace(config, base_url=server.url)
        report = fetch_records(
            spark, str(tmp_path / "index"), str(out), Selection(crawls=("CC-MAIN-2024-22",)), real
        )
    assert (report.kept, report.quarantined) == (len(rows), 0)
    (kept,) = pq.read_table(out / "_records").to_pylist()[:1]
    warc = (out / "warc" / kept["warc_file"]).read_bytes()
    at = rows[0]["warc_record_offset"]
    start = kept["warc_offset"]
    assert warc[start : start + kept["warc_length"]] == data[at : at + kept["warc_length"]]
