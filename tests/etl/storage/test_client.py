"""What goes wrong is told with the object's name and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from etl.storage.client import explained
from etl.storage.config import S3Config
from etl.storage.files import located
from etl.storage.location import Location, is_s3, spark_path
from schemas.errors import FoundryError, InputError, StepError
from tests.s3_server import settings

PLACE = Location("some-bucket", "some/key")


@pytest.mark.parametrize(
    ("code", "status", "kind", "message"),
    [
        ("AccessDenied", 403, InputError, "GetObject denied; allow it as deploy/s3/reader.json"),
        ("403", 403, InputError, "GetObject denied"),
        ("InvalidAccessKeyId", 403, InputError, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", 400, InputError, "credentials refused"),
        ("NoSuchBucket", 404, InputError, "no bucket some-bucket; create it"),
        ("404", 404, InputError, "no such object"),
        ("PreconditionFailed", 412, StepError, "changed while it was read"),
        ("SlowDown", 503, StepError, "SlowDown reduce your rate; run again"),
    ],
)
def test_a_refusal(code: str, status: int, kind: type[FoundryError], message: str) -> None:
    answer: Any = {
        "Error": {"Code": code, "Message": "reduce your rate"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    with pytest.raises(kind, match="s3://some-bucket/some/key: .*" + message), explained(PLACE):
        raise ClientError(answer, "GetObject")


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    file = located(str(PLACE), settings("http://127.0.0.1:9", timeout_seconds=3))
    with pytest.raises(InputError, match="no credentials; set AWS_ACCESS_KEY_ID"):
        file.is_dir()


def test_no_server(s3_url: str) -> None:
    file = located(str(PLACE), settings("http://127.0.0.1:9", max_attempts=1))
    with pytest.raises(StepError, match=r"check s3\.endpoint_url and the network"):
        file.is_dir()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"endpoint_url": "s3.example.org"}, r"write http\(s\)://host"),
        ({"endpoint_url": "https://me:secret@s3.example.org"}, "set AWS_ACCESS_KEY_ID instead"),
        ({"part_bytes": 1}, "S3 takes 5242880 to"),
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0"),
    ],
)
def test_bad_settings(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        S3Config(**setting)
    assert "secret" not in str(raised.value)


def test_one_place_translates_for_spark() -> None:
    assert spark_path("s3://b/k") == spark_path("s3a://b/k") == "s3a://b/k"
    assert spark_path("/local/s3://odd") == "/local/s3://odd"
    assert is_s3("S3A://b/k")
    assert not is_s3("file:///s3")
    assert str(Location.parse("s3a://bucket/a/b")) == "s3://bucket/a/b"
    assert Location.parse("s3://bucket").folder == ""
    assert Location.parse("s3://bucket/a/").folder == "a/"
