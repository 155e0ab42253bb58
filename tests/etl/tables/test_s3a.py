"""Delta on a real S3 server over HTTP: written by Spark, changed, read back, travelled in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl.storage.config import S3Config
from etl.tables.s3a import hadoop_version, s3a_jars, s3a_settings, use_s3
from etl.tables.store import Store, spark_schema
from schemas.errors import StepError
from schemas.tables import FINDINGS, FRONTIER
from tests.etl.tables.rows import valid_rows
from tests.s3_server import S3Profile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.spark
def test_delta_on_s3(spark: SparkSession, s3_profile: S3Profile, seed: int) -> None:
    store = Store(spark, f"{s3_profile.root}/store")
    rows = valid_rows(FRONTIER, 50, random.Random(seed))

    def frame(rows: list) -> object:
        return spark.createDataFrame([tuple(r.values()) for r in rows], spark_schema(FRONTIER))

    differs = "old.failures <> new.failures"
    assert store.merge(FRONTIER, frame(rows), when_changed=differs).rows == 50
    changed = [rows[0] | {"failures": rows[0]["failures"] + 1}, *rows[1:]]
    assert store.merge(FRONTIER, frame(changed), when_changed=differs).rows == 1
    assert store.merge(FRONTIER, frame(changed), when_changed=differs).rows == 0
    read = {row["uri_id"]: row["failures"] for row in store.read(FRONTIER).collect()}
    assert read == {row["uri_id"]: row["failures"] for row in changed}
    first = {row["uri_id"]: row["failures"] for row in store.read(FRONTIER, version=1).collect()}
    assert first == {row["uri_id"]: row["failures"] for row in rows}
    found = valid_rows(FINDINGS, 5, random.Random(seed))
    findings = spark.createDataFrame([tuple(r.values()) for r in found], spark_schema(FINDINGS))
    for _ in range(2):
        store.replace(FINDINGS, findings, {"snapshot": "2026-01-01"})
    assert store.read(FINDINGS).count() == 5
    keys = s3_profile.keys("store/frontier")
    assert any(key.endswith("_delta_log/00000000000000000002.json") for key in keys)
    assert any(key.endswith(".parquet") for key in keys)


@pytest.mark.spark
def test_what_the_profile_says_of_s3a_stands(spark: SparkSession) -> None:
    name = "fs.s3a.attempts.maximum"
    use_s3(spark, S3Config(max_attempts=7), {f"spark.hadoop.{name}": "3"})
    assert spark.conf.get(name, "") != "7"
    use_s3(spark, S3Config(max_attempts=7), {})
    assert spark.conf.get(name) == "7"


def test_settings_hold_no_secret_and_name_the_endpoint() -> None:
    settings = s3a_settings(S3Config(endpoint_url="http://127.0.0.1:9000", path_style=True))
    assert settings["fs.s3a.endpoint"] == "http://127.0.0.1:9000"
    assert settings["fs.s3a.endpoint.region"] == "us-east-1"
    assert settings["fs.s3a.path.style.access"] == "true"
    assert not [name for name in settings if "key" in name or "secret" in name]
    assert "fs.s3a.endpoint" not in s3a_settings(S3Config())  # AWS's own, region by the SDK


def test_missing_jars_are_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENFOUNDRY_JARS", str(tmp_path))
    with pytest.raises(StepError, match="run `make setup S3=1` once with a network"):
        s3a_jars()
    (tmp_path / f"s3a-{hadoop_version()}").mkdir()
    (tmp_path / f"s3a-{hadoop_version()}" / "a.jar").write_bytes(b"")
    assert [jar.name for jar in s3a_jars()] == ["a.jar"]
