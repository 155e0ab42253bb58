from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from etl.commoncrawl.config import Selection
from etl.commoncrawl.loopback import Archive
from etl.commoncrawl.plan import share_files
from etl.commoncrawl.select import select_records, write_plan
from schemas.errors import InputError

Row = dict[str, Any]


def chosen(spark: SparkSession, archive: Archive, **conditions: Any) -> set[str]:
    selection = Selection(**{"crawls": (archive.crawl,), "statuses": (200,)} | conditions)
    rows = select_records(spark, archive.index, selection).collect()
    urls = [row["url"] for row in rows]
    assert len(urls) == len(set(urls))
    return set(urls)


@pytest.mark.parametrize(
    ("conditions", "admits"),
    [
        ({}, lambda row: True),
        ({"languages": ("zho", "fra")}, lambda row: row["content_languages"] in ("zho", "fra")),
        ({"domains": ("alpha.example", "gamma.example")},
         lambda row: row["url_host_registered_domain"] in ("alpha.example", "gamma.example")),
        ({"hosts": ("gamma.example",)}, lambda row: row["url_host_name"] == "gamma.example"),
        ({"mime_types": ("image/png",)}, lambda row: row["content_mime_detected"] == "image/png"),
        ({"languages": ("eng",), "domains": ("delta.example",), "mime_types": ("text/html",)},
         lambda row: (row["content_languages"], row["url_host_registered_domain"],
                      row["content_mime_detected"]) == ("eng", "delta.example", "text/html")),
    ],
)  # fmt: skip
def test_conditions(
    spark: SparkSession, archive: Archive, conditions: Row, admits: Callable[[Row], bool]
) -> None:
    expected = {r["url"] for r in archive.rows if r["fetch_status"] == 200 and admits(r)}
    assert expected
    assert chosen(spark, archive, **conditions) == expected


def test_another_subset(spark: SparkSession, archive: Archive) -> None:
    found = chosen(spark, archive, subset="crawldiagnostics", statuses=(404, 410))
    assert found == {r["url"] for r in archive.rows if r["fetch_status"] in (404, 410)}


def test_sample_and_limit_choose_the_same_every_time(spark: SparkSession, archive: Archive) -> None:
    everything = chosen(spark, archive)
    tenth = chosen(spark, archive, sample=0.1)
    assert 0.05 * len(everything) < len(tenth) < 0.15 * len(everything)
    assert tenth <= chosen(spark, archive, sample=0.3) <= everything
    hundred = chosen(spark, archive, limit=100)
    assert len(hundred) == 100
    assert hundred == chosen(spark, archive, limit=100) <= chosen(spark, archive, limit=200)


def test_conditions_reach_the_files(
    spark: SparkSession, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parquet prunes by every condition, and other columns and partitions are not read."""
    selection = Selection(
        crawls=(archive.crawl,), languages=("eng",), mime_types=("text/html",),
        hosts=("a.example",), domains=("alpha.example",),
    )  # fmt: skip
    select_records(spark, archive.index, selection).explain("formatted")
    plan = capsys.readouterr().out
    (pushed,) = (line for line in plan.splitlines() if "PushedFilters" in line)
    for part in (
        "StringStartsWith(content_languages,eng)", "content_mime_detected", "fetch_status",
        "url_host_name", "EqualTo(url_host_registered_domain,alpha.example)",
        "GreaterThanOrEqual(url_surtkey,example,alpha)", "LessThan(url_surtkey,example,alpha;)",
    ):  # fmt: skip
        assert part in pushed
    assert "crawldiagnostics" not in plan
    assert "url_path" not in plan


def test_a_crawl_that_is_not_there(spark: SparkSession, archive: Archive) -> None:
    with pytest.raises(InputError, match="CC-MAIN-2013-20"):
        select_records(spark, archive.index, Selection(crawls=("CC-MAIN-2013-20",)))


def test_an_old_crawl_without_languages(
    spark: SparkSession, tmp_path: Path, archive: Archive
) -> None:
    folder = tmp_path / "crawl=CC-MAIN-2017-39" / "subset=warc"
    folder.mkdir(parents=True)
    (source,) = Path(archive.index).glob("crawl=*/subset=warc/part-00000*")
    table = pq.ParquetFile(source).read().drop_columns(["content_languages"])
    pq.write_table(table, folder / "a.parquet")
    old = Selection(crawls=("CC-MAIN-2017-39",))
    assert select_records(spark, str(tmp_path), old).count() == table.num_rows
    by_language = Selection(crawls=("CC-MAIN-2017-39",), languages=("eng",))
    assert select_records(spark, str(tmp_path), by_language).count() == 0


def test_shares_are_disjoint_whole_and_in_order(
    spark: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    rows = select_records(spark, archive.index, Selection(crawls=(archive.crawl,)))
    for folder in ("a", "b"):
        write_plan(rows, (tmp_path / folder).as_uri(), 3)
    tables = {
        folder: [
            pa.concat_tables(
                pq.ParquetFile(path).read() for path in share_files(tmp_path / folder, share)
            )
            for share in range(3)
            if share_files(tmp_path / folder, share)
        ]
        for folder in ("a", "b")
    }
    assert tables["a"] == tables["b"]
    assert len(tables["a"]) > 1
    seen: list[tuple[str, int]] = []
    for table in tables["a"]:
        places = list(zip(table["warc_filename"].to_pylist(),
                          table["warc_record_offset"].to_pylist(), strict=True))  # fmt: skip
        assert places == sorted(places)
        seen += places
    assert len(seen) == len(set(seen)) == rows.count()
