"""Corpora through Spark: each layout, local and on S3, as a frame and as a table's files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from etl.extract.job import ExtractConfig
from etl.ingest.config import IngestConfig
from etl.ingest.corpus import Corpus, load_corpus
from etl.ingest.corpus_read import corpus_frame, write_corpus
from etl.ingest.job import ingest_snapshot
from etl.ingest.read import read_records
from etl.storage.location import Location
from etl.storage.upload import upload_folder
from schemas.errors import InputError
from schemas.tables import DOCUMENTS, REJECTED
from tests.etl.ingest.corpora import CARD, FILES, RECORDS, TEXT
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from etl.tables.store import Store

pytestmark = pytest.mark.spark

_LISTED = CARD.replace(
    "---\n##", "configs:\n- config_name: default\n  data_files:\n  - split: train\n"
    "    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n##",
)  # fmt: skip


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
        return
    data = "".join(json.dumps(one) + "\n" for one in records).encode()
    packers = {".gz": gzip.compress, ".zst": zstandard.compress}
    path.write_bytes(packers.get(path.suffix, bytes)(data))


def _corpus(path: Path | str, config: IngestConfig) -> Corpus:
    corpus = load_corpus(str(path), config)
    assert corpus is not None
    return corpus


def _same(rows: DataFrame, *columns: str) -> list[tuple]:
    return sorted(tuple(row) for row in rows.select(*columns).collect())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set as the Hub lays it out: shards, two formats, and what is no data."""
    root = tmp_path_factory.mktemp("set")
    record, _ = RECORDS["fineweb"]
    for shard in range(3):
        rows = [record | {"id": f"{shard}-{n}", "text": f"{TEXT} {shard} {n}"} for n in range(4)]
        suffix = ("parquet", "jsonl.zst", "jsonl")[shard]
        _write(root / f"data/train-{shard:05}-of-00003.{suffix}", rows)
    _write(root / "data/test-00000-of-00001.parquet", [record | {"id": "t"}])
    _write(root / "stray.jsonl", [record])
    (root / "data" / "train-broken.jsonl.zst").write_bytes(zstandard.compress(b"x\n" * 9)[:-3])
    for name in ("LICENSE", ".gitattributes", "dataset_infos.json"):
        (root / name).write_text("{}")
    (root / "README.md").write_text(_LISTED)
    return root


def test_a_folder_as_the_hub_lays_it_out(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    config = IngestConfig(field_map="fineweb", source="fw", split="train")
    corpus = _corpus(folder, config)
    written = write_corpus(spark, str(folder), corpus, config, str(tmp_path / "out"), "delta")
    assert written.inputs == {"data": 4, "unlisted": 2, "not_data": 3}
    table = spark.read.format("delta").load(str(tmp_path / "out"))
    assert (table.count(), written.rows("")) == (12, 12)
    assert {row["source"] for row in table.collect()} == {"fw"}
    assert table.where("licence = 'ODC-By-1.0' and language = 'eng'").count() == 12
    bad = spark.read.format("delta").load(str(tmp_path / "out" / "_quarantined"))
    assert {row["error_class"] for row in bad.collect()} <= {"not_json", "truncated_zstd"}
    assert bad.count() == written.rows("_quarantined") > 0
    frame = read_records(spark, str(folder), config)
    assert _same(frame.kept(), "id", "text", "fetched_at") == _same(
        table, "id", "text", "fetched_at"
    )
    assert frame.quarantined().count() == bad.count()


def test_every_split_and_parquet_out(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    config = IngestConfig(field_map="fineweb")
    out = str(tmp_path / "out")
    write_corpus(spark, str(folder), _corpus(folder, config), config, out, "parquet")
    assert spark.read.parquet(out).count() == 13
    assert not (tmp_path / "out" / "_delta_log").exists()


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_each_corpus_from_its_own_kind_of_file(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    record, expected = RECORDS[name]
    _write(tmp_path / FILES.get(name, "data/part-0.jsonl.gz"), [record])
    (tmp_path / "README.md").write_text(CARD)
    (row,) = read_records(spark, str(tmp_path), IngestConfig(field_map=name)).kept().collect()
    found = row.asDict() | {"fetched_at": row["fetched_at"] and f"{row['fetched_at']}"}
    assert row["text"] == TEXT
    assert {key: found[key] for key in expected} == expected


def test_delta_is_mapped_too(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(f"text {n}" if n else None, {"url": f"u{n}"}, n) for n in range(100)]
    frame = spark.createDataFrame(rows, "content string, meta map<string,string>, n int")
    frame.write.format("delta").save(str(tmp_path / "in"))
    (tmp_path / "m.yaml").write_text("name: m\ntext: content\nurl: meta.url\ncarry: {n: long}\n")
    config = IngestConfig(field_map=str(tmp_path / "m.yaml"), licence="mit", citation="c")
    corpus = _corpus(tmp_path / "in", config)
    out = str(tmp_path / "out")
    written = write_corpus(spark, str(tmp_path / "in"), corpus, config, out, "delta")
    assert (written.rows(""), written.rows("_quarantined")) == (99, 1)
    table = spark.read.format("delta").load(out)
    assert table.where("url = concat('u', n) and text = concat('text ', n)").count() == 99
    read = corpus_frame(spark, str(tmp_path / "in"), corpus, config)
    assert (read.kept().count(), read.quarantined().count()) == (99, 1)


def test_a_map_that_fits_nothing_writes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a.jsonl", [RECORDS["oscar"][0]] * 9)
    config = IngestConfig(field_map="fineweb", licence="cc0-1.0", citation="c")
    corpus = _corpus(tmp_path / "in", config)
    with pytest.raises(InputError, match=r"a\.jsonl: none of 9 records .*maps that fit: oscar"):
        write_corpus(spark, str(tmp_path / "in"), corpus, config, str(tmp_path / "out"), "delta")
    assert not (tmp_path / "out" / "_delta_log").exists()


def test_no_data_at_all_is_said(spark: SparkSession, tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a.jsonl", [RECORDS["c4"][0]])
    (tmp_path / "in" / "README.md").write_text(CARD)
    config = IngestConfig(field_map="c4", split="validation")
    corpus = _corpus(tmp_path / "in", config)
    with pytest.raises(InputError, match=r"no data files to read \(1 not_data, 1 unlisted\)"):
        write_corpus(spark, str(tmp_path / "in"), corpus, config, str(tmp_path / "out"), "delta")


def test_a_failed_task_leaves_no_file(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    config = IngestConfig(field_map="fineweb", split="test")
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-of-a-failed-task.snappy.parquet").write_bytes(b"half")
    write_corpus(spark, str(folder), _corpus(folder, config), config, str(out), "delta")
    (file,) = out.glob("*.parquet")
    (known,) = spark.read.format("delta").load(str(out)).inputFiles()
    assert known.endswith(file.name)


def test_the_same_from_s3(
    spark: SparkSession, s3_profile: S3Profile, folder: Path, tmp_path: Path
) -> None:
    place = f"{s3_profile.root}/set"
    upload_folder(folder, Location.parse(place), s3_profile.s3)
    config = IngestConfig(field_map="fineweb", split="train", s3=s3_profile.s3)
    corpus = _corpus(place, config)
    assert (corpus.card.file, corpus.root) == (f"{place}/README.md", place)
    out = str(tmp_path / "out")
    written = write_corpus(spark, place, corpus, config, out, "delta")
    assert written.inputs == {"data": 4, "unlisted": 2, "not_data": 3}
    here = read_records(spark, str(folder), IngestConfig(field_map="fineweb", split="train"))
    table = spark.read.format("delta").load(out)
    assert _same(table, "id", "text") == _same(here.kept(), "id", "text")


def test_a_corpus_becomes_documents(store: Store, folder: Path, tmp_path: Path) -> None:
    fields = tmp_path / "m.yaml"
    text = "name: m\ntext: text\nid: id\nfetched_at: date\nwhere: {id: [0-0, 1-1]}\n"
    fields.write_text(text)
    files = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    reading = IngestConfig(field_map=str(fields), source="fw", split="train")
    report = ingest_snapshot(store, files, reading, "fw-1", ExtractConfig())
    assert (report.kept, report.rejected) == (2, {"ingest.where": 10})
    assert report.extra["card"]["licence"] == "ODC-By-1.0"
    assert report.extra["files"] == {"data": 4, "unlisted": 2, "not_data": 4}
    rows = store.read(DOCUMENTS).collect()
    assert {f"{row['fetched_at']}" for row in rows} == {"2024-02-21 12:00:00"}
    assert {row["licence"] for row in rows} == {"ODC-By-1.0"}
    assert {one["kind"] for row in rows for one in row["licence_statements"]} == {"dataset_card"}
    assert store.read(REJECTED).count() == 10
