"""Spark on S3: Hadoop's S3A connector, its JARs, and its settings from an `S3Config`.

Delta on S3 has one rule. S3A gives Delta no atomic "create if absent", so Delta's log store for it
(S3SingleDriverLogStore) keeps writers apart within one driver only: **two Spark drivers that write
to one table at the same time can lose each other's commits**. Readers are always safe. Let one
process write to a table, or configure Delta's S3DynamoDBLogStore (`spark.settings` in the profile:
`spark.delta.logStore.s3a.impl`, with its JAR). Source: Delta's documentation, "Storage
configuration", Amazon S3; Hadoop's "Working with S3A".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etl.storage.config import S3Config
from schemas.errors import StepError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Hadoop names the `bundle` of all of AWS (686 MB). S3A itself uses these few modules of the SDK
# version in Hadoop's own POM (hadoop-project).
_SDK_OF_HADOOP = {"3.5.0": "2.35.4"}
_SDK_MODULES = ("s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client")
_EXCLUDED = "software.amazon.awssdk:bundle,org.wildfly.openssl:wildfly-openssl"
# Of what those depend on, Spark ships the rest (Netty, HttpClient, SLF4J).
_KEPT = ("org.apache.hadoop_hadoop-aws-", "software.amazon.", "org.reactivestreams_")


def hadoop_version() -> str:
    """The Hadoop that pyspark ships: the connector must be of the same version."""
    import pyspark

    (jar,) = Path(pyspark.__file__).parent.glob("jars/hadoop-client-api-*.jar")
    return jar.stem.removeprefix("hadoop-client-api-")


def s3a_folder() -> Path:
    from etl.tables.session import jar_folder

    return jar_folder() / f"s3a-{hadoop_version()}"


def s3a_jars() -> list[Path]:
    """The cached JARs; raises `StepError` with the command that fetches them."""
    found = sorted(s3a_folder().glob("*.jar"))
    if not found:
        raise StepError(f"no S3 JARs in {s3a_folder()}; run `make setup S3=1` once with a network")
    return found


def resolve_s3a_jars() -> list[Path]:
    """Fetches the connector's JARs (13 MB) through Spark's own resolver into the cache, once."""
    target, version = s3a_folder(), hadoop_version()
    if any(target.glob("*.jar")):
        return s3a_jars()
    from pyspark.sql import SparkSession

    from etl.tables.session import fetch_jars

    if version not in _SDK_OF_HADOOP:
        raise StepError(
            f"Hadoop {version} is not known here; add its AWS SDK version (hadoop-project's POM) "
            "to etl/tables/s3a.py"
        )
    packages = [f"org.apache.hadoop:hadoop-aws:{version}"]
    packages += [f"software.amazon.awssdk:{m}:{_SDK_OF_HADOOP[version]}" for m in _SDK_MODULES]
    builder = SparkSession.builder.config("spark.jars.packages", ",".join(packages))
    fetch_jars(builder.config("spark.jars.excludes", _EXCLUDED), _KEPT, target)
    return s3a_jars()


def s3a_settings(config: S3Config) -> dict[str, str]:
    """Hadoop's settings. The credentials come from the JVM's own chain: environment, profile,
    web identity, the container's or the machine's role."""
    settings = {
        "fs.s3a.aws.credentials.provider":
            "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "fs.s3a.path.style.access": str(config.path_style).lower(),
        "fs.s3a.multipart.size": str(config.part_bytes),
        "fs.s3a.attempts.maximum": str(config.max_attempts),
        "fs.s3a.create.checksum.algorithm": "SHA256",  # the server verifies what it receives
    }  # fmt: skip
    if config.endpoint_url:
        settings["fs.s3a.endpoint"] = config.endpoint_url
    if config.region or config.endpoint_url:
        settings["fs.s3a.endpoint.region"] = config.region or "us-east-1"
    return settings


def use_s3(session: SparkSession, config: S3Config, given: Mapping[str, str]) -> None:
    """Lets a running session (of Connect, too) reach the buckets. What `given` (Spark's settings)
    says already stands. The first use of a bucket in a JVM decides for the later ones."""
    for name, value in s3a_settings(config).items():
        if f"spark.hadoop.{name}" not in given:
            session.conf.set(name, value)
