"""`foundry ingest --map`: report, card and table beside each other; local and on S3."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl.storage.location import Location
from etl.storage.objects import read_object
from orchestration.cli.main import main
from tests.etl.ingest.corpora import CARD, RECORDS, TEXT
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture(autouse=True)
def _session(spark: SparkSession) -> None:
    """The verbs find and share the session of the tests."""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    record, _ = RECORDS["redpajama-v1"]
    rows = [record | {"text": f"{TEXT} {n}", "n": n} for n in range(5)]
    lines = [*map(json.dumps, rows), "{broken", json.dumps({"meta": {}})]
    (folder / "data" / "a.jsonl").write_text("\n".join(lines))
    (folder / "README.md").write_text(CARD)
    return folder


def _run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capfd.readouterr()
    status = main([*argv, "--json"])
    captured = capfd.readouterr()
    assert status == 0, captured.err
    report: dict[str, Any] = json.loads(captured.out)
    return report


def test_a_corpus_with_its_card(
    spark: SparkSession, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    report = _run(["ingest", str(corpus), str(out), "--map", "redpajama-v1"], capfd)
    assert (report["in"], report["kept"], report["quarantined"]) == (7, 5, 2)
    assert report["files"] == {"data": 1, "not_data": 1}
    facts = json.loads((out / "_card.json").read_text())
    assert facts == report["card"] | {"records": 5}
    card = (corpus / "README.md").read_bytes()
    assert (facts["licence"], facts["card_sha256"]) == (
        "ODC-By-1.0", hashlib.sha256(card).hexdigest()
    )  # fmt: skip
    assert facts["citation"].startswith("@misc{generated2024")
    table = spark.read.format("delta").load(report["outputs"]["documents"])
    assert table.where("subset = 'common_crawl' and language = 'deu'").count() == 5
    bad = spark.read.format("delta").load(report["outputs"]["quarantined"])
    assert sorted(row["error_class"] for row in bad.collect()) == ["missing_text", "not_json"]

    again = _run(["ingest", str(corpus), str(out), "--map", "redpajama-v1"], capfd)
    assert again | {"seconds": 0} == report | {"seconds": 0}
    documents = _run(["extract", str(out), str(tmp_path / "docs")], capfd)
    assert (documents["kept"], documents["quarantined"]) == (5, 0)
    rows = spark.read.format("delta").load(str(tmp_path / "docs")).collect()
    assert {row["licence"] for row in rows} == {"ODC-By-1.0"}
    assert {row["licence_evidence"] for row in rows} == {"dataset_card: odc-by"}
    assert {row["title"] for row in rows} == {"T"}


def test_a_where_and_parquet(
    spark: SparkSession, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.yaml").write_text("name: m\ntext: text\nwhere: {n: [1, 2]}\n")
    options = ["--map", str(tmp_path / "m.yaml"), "--format", "parquet", "--licence", "mit"]
    report = _run(["ingest", str(corpus), str(tmp_path / "out"), *options], capfd)
    assert (report["kept"], report["rejected"]) == (2, {"ingest.where": 4})
    assert report["card"]["licence"] == "MIT"
    assert spark.read.parquet(report["outputs"]["documents"]).count() == 2
    assert spark.read.parquet(report["outputs"]["rejected"]).count() == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--map", "fineweb"], "none of 1 records has the text field `text`"),
        (["--map", "nothing"], "name a YAML file or one of: c4"),
        (["--map", "fineweb", "--card", "nowhere"], "card nowhere: no such file"),
        (["--split", "train"], "split goes with a field map"),
        (["--map", "fineweb", "--split", "test"], "no data files to read"),
    ],
)
def test_bad_usage_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "README.md").write_text(CARD)
    (tmp_path / "in" / "a.jsonl").write_text('{"body":"x"}\n')
    assert main(["ingest", str(tmp_path / "in"), str(tmp_path / "out"), *options]) == 2
    assert said in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_citation_is_asked_for(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (corpus / "README.md").write_text("---\nlicense: mit\n---\n")
    argv = ["ingest", str(corpus), str(tmp_path / "out"), "--map", "redpajama-v1"]
    assert main(argv) == 2
    assert "has no citation" in capfd.readouterr().err
    report = _run([*argv, "--citation", "Someone (2024)"], capfd)
    assert report["card"]["citation"] == "Someone (2024)"


def test_to_s3(
    spark: SparkSession, s3_profile: S3Profile, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = f"{s3_profile.root}/out"
    report = _run(["ingest", str(corpus), out, "--map", "redpajama-v1"], capfd)
    assert (report["kept"], report["quarantined"]) == (5, 2)
    facts = read_object(Location.parse(f"{out}/_card.json"), s3_profile.s3)
    assert facts is not None
    assert json.loads(facts)["records"] == 5
    assert spark.read.format("delta").load(out.replace("s3:", "s3a:")).count() == 5
