"""Objects to files, through connections that break, bytes that flip and objects that change."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from etl.storage.client import MissingObjectError
from etl.storage.download import download_file, download_folder
from etl.storage.upload import upload_file
from schemas.errors import InputError, StepError
from tests.etl.storage.conftest import Bucket
from tests.s3_server import Fault, settings

PART = 5 << 20


@pytest.fixture
def content(bucket: Bucket, tmp_path: Path, seed: int) -> bytes:
    """The bytes of the object `big`, uploaded by us."""
    data = random.Random(seed).randbytes(2 * PART + 77)
    path = tmp_path / "source.bin"
    path.write_bytes(data)
    upload_file(path, bucket.place.child("big"), bucket.config)
    bucket.proxy.requests.clear()
    return data


def test_there_and_back(bucket: Bucket, content: bytes, tmp_path: Path) -> None:
    target = tmp_path / "new" / "back.bin"
    done = download_file(bucket.place.child("big"), target, bucket.config)
    assert target.read_bytes() == content
    assert (done.sent, done.checked_by) == (len(content), "sha256")
    again = download_file(bucket.place.child("big"), target, bucket.config)
    assert again.sent == 0
    assert bucket.proxy.count("GET") == 1
    assert [path.name for path in target.parent.iterdir()] == ["back.bin"]


def test_a_cut_download_goes_on_where_it_broke(
    bucket: Bucket, content: bytes, tmp_path: Path
) -> None:
    bucket.proxy.faults = [Fault("GET", "/big", at=3_000_000, in_answer=True, times=2)]
    target = tmp_path / "back.bin"
    done = download_file(bucket.place.child("big"), target, bucket.config)
    assert target.read_bytes() == content
    assert done.sent == len(content)
    assert bucket.proxy.count("GET") == 3


def test_a_later_run_goes_on_with_what_had_arrived(
    bucket: Bucket, content: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "back.bin"
    target.write_bytes(b"what was there before")
    place = bucket.place.child("big")
    bucket.proxy.faults = [
        Fault("GET", "/big", at=3_000_000, in_answer=True),
        Fault("GET", "/big", at=0, in_answer=True, times=9),
    ]
    with pytest.raises(StepError, match=f"{place}: broke off at byte"):
        download_file(place, target, settings(bucket.proxy.url, max_attempts=2))
    assert target.read_bytes() == b"what was there before"
    bucket.proxy.faults.clear()
    done = download_file(place, target, bucket.config)
    assert target.read_bytes() == content
    assert done.sent < len(content) - 2_000_000


def test_a_flipped_byte_is_an_error_that_names_the_object(
    bucket: Bucket, content: bytes, tmp_path: Path
) -> None:
    place, target = bucket.place.child("big"), tmp_path / "back.bin"
    bucket.proxy.faults = [Fault("GET", "/big", at=1_000_000, flip=True, in_answer=True)]
    with pytest.raises(StepError, match=f"{place}: the bytes received are not those"):
        download_file(place, target, bucket.config)
    assert not list(tmp_path.glob("*back.bin*")) + list(tmp_path.glob(".*.part"))
    download_file(place, target, bucket.config)
    assert target.read_bytes() == content


def test_an_object_that_changes_meanwhile_is_not_spliced(
    bucket: Bucket, content: bytes, tmp_path: Path
) -> None:
    place, target = bucket.place.child("big"), tmp_path / "back.bin"
    bucket.proxy.faults = [
        Fault("GET", "/big", at=3_000_000, in_answer=True),
        Fault("GET", "/big", at=0, in_answer=True, times=9),
    ]
    with pytest.raises(StepError):
        download_file(place, target, settings(bucket.proxy.url, max_attempts=1))
    bucket.proxy.faults.clear()
    other = bytes(len(content))
    bucket.client.put_object(Bucket=place.bucket, Key="big", Body=other)
    download_file(place, target, bucket.config)
    assert target.read_bytes() == other


@pytest.mark.parametrize("size", [10, 2 * PART + 3])
def test_objects_of_others_are_checked_by_what_the_server_states(
    bucket: Bucket, tmp_path: Path, seed: int, size: int
) -> None:
    source = tmp_path / "source"
    source.write_bytes(random.Random(seed).randbytes(size))
    bucket.client.upload_file(
        str(source), bucket.place.bucket, "theirs",
        Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART),
    )  # fmt: skip
    place = bucket.place.child("theirs")
    done = download_file(place, tmp_path / "back", bucket.config)
    assert done.checked_by in ("crc32", "md5")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    bucket.proxy.faults = [Fault("GET", "/theirs", at=size // 2, flip=True, in_answer=True)]
    with pytest.raises(StepError, match=str(place)):
        download_file(place, tmp_path / "flipped", bucket.config)


def test_a_folder_of_more_than_a_page(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # the server's page; S3's is 1000
    names = [f"{n % 7}/{n}.txt" for n in range(25)]
    for name in names:
        bucket.client.put_object(Bucket=bucket.place.bucket, Key=f"in/{name}", Body=name.encode())
    bucket.client.put_object(Bucket=bucket.place.bucket, Key="in/", Body=b"")
    bucket.client.put_object(Bucket=bucket.place.bucket, Key="inside.txt", Body=b"no")
    done = download_folder(bucket.place.child("in"), tmp_path / "out", bucket.config)
    assert done.files == 25
    assert bucket.proxy.count("GET", "list-type=2") == 3
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.txt")}
    assert found == set(names)


@pytest.mark.parametrize("key", ["in/../../evil", "in//double", "in/./dot"])
def test_a_key_cannot_leave_the_folder(bucket: Bucket, tmp_path: Path, key: str) -> None:
    bucket.client.put_object(Bucket=bucket.place.bucket, Key=key, Body=b"x")
    with pytest.raises(InputError, match="its key is no file name"):
        download_folder(bucket.place.child("in"), tmp_path / "a" / "b", bucket.config)
    assert not list(tmp_path.rglob("evil"))


def test_what_is_missing_is_named(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(MissingObjectError, match=r"/nothing: no such object; check bucket"):
        download_file(bucket.place.child("nothing"), tmp_path / "x", bucket.config)
    with pytest.raises(InputError, match="holds no objects"):
        download_folder(bucket.place.child("nothing"), tmp_path / "x", bucket.config)
