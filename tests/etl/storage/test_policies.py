"""The policy documents allow what the code asks a server for, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.read import read_records
from etl.storage.download import download_folder
from etl.storage.objects import delete_objects
from etl.storage.upload import upload_file, upload_folder
from etl.tables.s3a import s3a_folder, use_s3
from schemas.errors import StepError
from tests.conftest import missing_part
from tests.etl.storage.conftest import Bucket
from tests.s3_server import Fault, Request, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLICIES = Path(__file__).parents[3] / "deploy" / "s3"


def statements(name: str) -> list[dict]:
    document = json.loads((POLICIES / f"{name}.json").read_text())
    assert document["Version"] == "2012-10-17"
    return list(document["Statement"])


def actions(name: str) -> set[str]:
    return {action for statement in statements(name) for action in statement["Action"]}


def asked(request: Request) -> tuple[str, str]:
    """The IAM action that S3 checks for a request, and the key or prefix that it is about.

    Source: AWS, Service Authorization Reference, "Actions defined by Amazon S3".
    """
    url = urlsplit(request.target)
    query = parse_qs(url.query, keep_blank_values=True)
    key = unquote(url.path).lstrip("/").partition("/")[2]
    part = "uploadId" in query
    match request.method:
        case "GET" if not key and "uploads" in query:
            return "s3:ListBucketMultipartUploads", query["prefix"][0]
        case "GET" if not key and "list-type" in query:
            return "s3:ListBucket", query["prefix"][0]
        case "GET" | "HEAD" if key:
            return "s3:ListMultipartUploadParts" if part else "s3:GetObject", key
        case "PUT" | "POST" if key:
            return "s3:PutObject", key
        case "POST" if "delete" in query:
            return "s3:DeleteObject", ""
        case "DELETE" if key:
            return "s3:AbortMultipartUpload" if part else "s3:DeleteObject", key
    raise AssertionError(f"what does {request} need?")


@pytest.fixture
def spark_there(spark: SparkSession, bucket: Bucket) -> SparkSession:
    if not any(s3a_folder().glob("*.jar")):
        missing_part("the S3 JARs: run `make setup S3=1`")
    use_s3(spark, bucket.config, {})
    return spark


@pytest.mark.spark
def test_the_policies_are_what_the_code_needs(
    spark_there: SparkSession, bucket: Bucket, tmp_path: Path
) -> None:
    root = bucket.place.child("prefix")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "big").write_bytes(bytes(12 << 20))
    (tmp_path / "in" / "rows.jsonl").write_text('{"id":"1","text":"one"}\n')
    upload_folder(tmp_path / "in", root.child("raw"), bucket.config)
    bucket.proxy.faults = [Fault("PUT", "partNumber=2", at=1000, times=9)]
    with pytest.raises(StepError):
        upload_file(
            tmp_path / "in" / "big", root.child("again"), settings(bucket.proxy.url, max_attempts=1)
        )
    bucket.proxy.faults.clear()
    upload_file(tmp_path / "in" / "big", root.child("again"), bucket.config)
    delete_objects([root.child("again"), root.child("raw/big")], bucket.config)
    table = f"s3a://{root.bucket}/{root.key}/table"
    for n in range(2):
        rows = spark_there.createDataFrame([(str(n), "text")], "id string, text string")
        rows.write.format("delta").mode("overwrite").save(table)
    written = [asked(request) for request in bucket.proxy.requests]
    bucket.proxy.requests.clear()

    config = IngestConfig(s3=bucket.config)
    assert read_records(spark_there, str(root.child("raw")), config).frame.count() == 1
    assert read_records(spark_there, str(root.child("table")), config).frame.count() == 1
    download_folder(root.child("raw"), tmp_path / "out", bucket.config)
    read = [asked(request) for request in bucket.proxy.requests]

    assert {action for action, _ in read} == actions("reader")
    # S3A ends a part-way upload of a task that fails; none fails here.
    assert {action for action, _ in written} == actions("writer") - {"s3:AbortMultipartUpload"}
    assert actions("reader") < actions("writer")
    for action, name in [*read, *written]:
        assert not name or name == "prefix" or name.startswith("prefix/"), (action, name)


@pytest.mark.parametrize("name", ["reader", "writer"])
def test_a_policy_reaches_one_prefix_of_one_bucket(name: str) -> None:
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        for resource in statement["Resource"]:
            if any(action.startswith("s3:ListBucket") for action in statement["Action"]):
                assert resource == "arn:aws:s3:::YOUR-BUCKET"
                prefixes = statement["Condition"]["StringLike"]["s3:prefix"]
                assert prefixes == ["YOUR-PREFIX", "YOUR-PREFIX/*"]
            else:
                assert re.fullmatch(r"arn:aws:s3:::YOUR-BUCKET/YOUR-PREFIX/\*", resource)
