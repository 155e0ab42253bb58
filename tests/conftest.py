"""Shared by all tests: one Spark session, the seed that CI varies, the optional sample data."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

# No deadline: machines that test are shared. CI repeats the same examples for the same code.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.tables.store import Store
    from tests.s3_server import S3Profile
    from training.launch.slurm.local_cluster import SlurmCluster


def missing_part(name: str) -> NoReturn:
    """Skips a test whose real part this machine lacks; CI has all of them, so there it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing: {name}")
    pytest.skip(f"missing: {name}")


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A real S3 server on loopback; tests make buckets of their own."""
    from tests.s3_server import moto_server

    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The one session of the test run. Never stop it, and never start another in this process."""
    from etl.storage.config import S3Config
    from etl.tables.s3a import s3a_folder
    from etl.tables.session import SparkConfig, spark_session
    from tests.s3_server import CREDENTIALS

    config = SparkConfig(
        master="local[2]", driver_memory="2g", shuffle_partitions=2, quick_start=True
    )
    os.environ.update(CREDENTIALS)  # the JVM takes them from the environment it is started in
    session = spark_session(config, S3Config() if any(s3a_folder().glob("*.jar")) else None)
    yield session
    session.stop()


@pytest.fixture
def s3_profile(
    spark: SparkSession, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> S3Profile:
    """A profile whose `s3` is the test server, a new bucket on it, and Spark that reaches it."""
    from etl.storage.client import s3_client
    from etl.tables.s3a import s3a_folder, use_s3
    from tests.s3_server import S3Profile, settings

    if not any(s3a_folder().glob("*.jar")):
        missing_part("the S3 JARs: run `make setup S3=1`")
    config = settings(s3_url)
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3_client(config).create_bucket(Bucket=bucket)
    use_s3(spark, config, {})
    profile = S3Profile(tmp_path / "profile.yaml", tmp_path / "home", f"s3://{bucket}", config)
    profile.write()
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", str(profile.file))
    return profile


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    from etl.tables.store import Store

    return Store(spark, str(tmp_path / "tables"))


@pytest.fixture(scope="session")
def seed() -> int:
    """`TOKENFOUNDRY_TEST_SEED`: generators take it, and CI varies it."""
    return int(os.environ.get("TOKENFOUNDRY_TEST_SEED", "20261121"))


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Real input, where a machine has it (`TOKENFOUNDRY_SAMPLE_DATA`); a clone has none."""
    folder = os.environ.get("TOKENFOUNDRY_SAMPLE_DATA")
    if not folder:
        pytest.skip("TOKENFOUNDRY_SAMPLE_DATA is not set: no real sample data on this machine")
    return Path(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    """A real Slurm of two nodes on this machine, with memory limits where cgroups allow them."""
    from training.launch.slurm.local_cluster import (
        can_limit_memory,
        missing_programs,
        slurm_cluster,
    )

    missing = missing_programs()
    if missing or os.geteuid() != 0:
        missing_part(f"a one-machine Slurm: programs {missing}, user id {os.geteuid()}")
    # A Unix socket's path is limited to 107 bytes: pytest's own folders can be too deep.
    with (
        tempfile.TemporaryDirectory(prefix="slurm") as base,
        slurm_cluster(Path(base), cgroups=can_limit_memory()) as running,
    ):
        yield running
