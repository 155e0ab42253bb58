"""Files to a real S3 server, also through connections that break and bytes that flip."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from etl.storage.digest import file_checksum
from etl.storage.objects import describe
from etl.storage.upload import upload_file, upload_folder
from schemas.errors import StepError
from tests.etl.storage.conftest import Bucket
from tests.s3_server import Fault, settings

PART = 5 << 20


@pytest.fixture
def big(tmp_path: Path, seed: int) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(random.Random(seed).randbytes(3 * PART + 1234))
    return path


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART])
def test_a_file_arrives_whole_and_only_once(
    bucket: Bucket, tmp_path: Path, seed: int, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.Random(seed).randbytes(size))
    place = bucket.place.child("some/file")
    first = upload_file(path, place, bucket.config)
    assert (first.size, first.sent, first.checked_by) == (size, size, "sha256")
    assert bucket.body("some/file") == path.read_bytes()
    info = describe(place, bucket.config)
    assert info.checksum == file_checksum(path, "sha256", PART)
    changes = bucket.proxy.count("PUT") + bucket.proxy.count("POST")
    again = upload_file(path, place, bucket.config)
    assert (again.size, again.sent) == (size, 0)
    assert bucket.proxy.count("PUT") + bucket.proxy.count("POST") == changes
    path.write_bytes(b"other")
    assert upload_file(path, place, bucket.config).sent == 5
    assert bucket.body("some/file") == b"other"


def test_a_cut_connection_is_tried_again(bucket: Bucket, big: Path) -> None:
    bucket.proxy.faults = [Fault("PUT", "partNumber=2", at=1_000_000)]
    upload_file(big, bucket.place.child("big"), bucket.config)
    assert bucket.body("big") == big.read_bytes()
    assert bucket.proxy.faults[0].times == 0
    assert bucket.proxy.count("PUT", "partNumber=2") == 2


def test_an_interrupted_upload_goes_on_with_its_parts(bucket: Bucket, big: Path) -> None:
    place = bucket.place.child("big")
    config = settings(bucket.proxy.url, max_attempts=1, max_concurrency=1)
    bucket.proxy.faults = [Fault("PUT", "partNumber=3", at=1_000_000, times=9)]
    with pytest.raises(StepError, match=r"storage-\d+/big"):
        upload_file(big, place, config)
    assert "Contents" not in bucket.client.list_objects_v2(Bucket=place.bucket)
    bucket.proxy.faults.clear()
    bucket.proxy.requests.clear()
    done = upload_file(big, place, config)
    assert bucket.body("big") == big.read_bytes()
    assert done.sent in (PART, PART + 1234)  # part 3, and 4 where it was not on its way already
    assert not bucket.proxy.count("PUT", "partNumber=1") + bucket.proxy.count("PUT", "partNumber=2")


def test_parts_of_another_state_of_the_file_do_not_end_up_in_it(bucket: Bucket, big: Path) -> None:
    place = bucket.place.child("big")
    config = settings(bucket.proxy.url, max_attempts=1, max_concurrency=1)
    bucket.proxy.faults = [Fault("PUT", "partNumber=3", at=0, times=1)]
    with pytest.raises(StepError):
        upload_file(big, place, config)
    with big.open("r+b") as file:  # parts 1 and 2: one changed, one as before
        file.write(b"changed")
    upload_file(big, place, config)
    assert bucket.body("big") == big.read_bytes()
    assert describe(place, config).checksum == file_checksum(big, "sha256", PART)


@pytest.mark.parametrize(("size", "target"), [(PART + 1, "partNumber=1"), (1000, "/flipped")])
def test_a_flipped_byte_is_noticed(
    bucket: Bucket, tmp_path: Path, seed: int, size: int, target: str
) -> None:
    path = tmp_path / "flipped"
    path.write_bytes(random.Random(seed).randbytes(size))
    place = bucket.place.child("flipped")
    bucket.proxy.faults = [Fault("PUT", target, at=500, flip=True)]
    upload_file(path, place, bucket.config)
    assert bucket.body("flipped") == path.read_bytes()
    path.write_bytes(bytes(size))
    bucket.proxy.faults = [Fault("PUT", target, at=500, flip=True, times=99)]
    config = settings(bucket.proxy.url, max_attempts=2)
    with pytest.raises(StepError, match=f"{place}: the server received other bytes"):
        upload_file(path, place, config)


def test_a_folder_keeps_its_names(bucket: Bucket, tmp_path: Path, big: Path) -> None:
    root = tmp_path / "root"
    names = ["a.txt", "b/ü ß.txt", "b/c/%2F+&=.txt", "skip.log"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "z.txt").write_bytes(big.read_bytes())
    done = upload_folder(root, bucket.place.child("in"), bucket.config, "*.txt")
    assert (done.files, done.sent) == (4, done.size)
    listed = bucket.client.list_objects_v2(Bucket=bucket.place.bucket)["Contents"]
    assert {item["Key"] for item in listed} == {f"in/{name}" for name in [*names[:3], "z.txt"]}
    again = upload_folder(root, bucket.place.child("in"), bucket.config, "*.txt")
    assert (again.files, again.sent) == (4, 0)
