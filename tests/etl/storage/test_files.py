"""Objects as files: seeks, broken connections, changed objects, memory."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from etl.storage.client import MissingObjectError
from etl.storage.files import S3File, located
from schemas.errors import InputError, StepError
from tests.etl.storage.conftest import Bucket
from tests.s3_server import Fault, settings

SIZE = 3_000_000


@pytest.fixture
def content(bucket: Bucket, seed: int) -> bytes:
    data = random.Random(seed).randbytes(SIZE)
    bucket.client.put_object(Bucket=bucket.place.bucket, Key="d/o", Body=data)
    return data


def test_reads_as_a_local_file_does(bucket: Bucket, content: bytes, seed: int) -> None:
    rng = random.Random(seed)
    with S3File(bucket.place.child("d/o"), bucket.config).open() as file, io.BytesIO(content) as it:
        for _ in range(40):
            place = rng.randrange(SIZE + 10)
            assert file.seek(place) == it.seek(place)
            size = rng.choice([0, 1, 500, 70_000, 600_000])
            assert file.read(size) == it.read(size)
            assert file.tell() == it.tell()
        assert file.seek(-5, io.SEEK_END) == SIZE - 5
        assert file.read() == content[-5:]
        file.seek(0)
        assert file.read() == content


def test_a_record_here_and_there_costs_little(bucket: Bucket, content: bytes) -> None:
    with S3File(bucket.place.child("d/o"), bucket.config).open() as file:
        file.seek(2_000_000)
        assert file.read(1000) == content[2_000_000:2_001_000]
    asked = [r for r in bucket.proxy.requests if r.method == "GET"]
    assert len(asked) == 1
    bucket.proxy.requests.clear()
    with S3File(bucket.place.child("d/o"), bucket.config).open() as file:
        assert file.read() == content
    assert bucket.proxy.count("GET") <= 5  # 256 KiB, 512 KiB, 1 MiB, 2 MiB...


def test_a_broken_connection_is_taken_up(bucket: Bucket, content: bytes) -> None:
    bucket.proxy.faults = [Fault("GET", "/d/o", at=100_000, in_answer=True, times=3)]
    with S3File(bucket.place.child("d/o"), bucket.config).open() as file:
        assert file.read() == content
    bucket.proxy.faults = [Fault("GET", "/d/o", at=0, in_answer=True, times=99)]
    broken = S3File(bucket.place.child("d/o"), settings(bucket.proxy.url, max_attempts=2))
    with broken.open() as file, pytest.raises(StepError, match="d/o: broke off at byte 0 of"):
        file.read()


def test_an_object_that_changes_is_not_spliced(bucket: Bucket, content: bytes) -> None:
    with S3File(bucket.place.child("d/o"), bucket.config).open() as file:
        file.read(1000)
        bucket.client.put_object(Bucket=bucket.place.bucket, Key="d/o", Body=bytes(SIZE))
        with pytest.raises(StepError, match="changed while it was read"):
            file.read()


def test_names_and_kinds(bucket: Bucket, content: bytes) -> None:
    root = f"s3://{bucket.place.bucket}"
    file, folder = located(f"{root}/d/o", bucket.config), located(f"{root}/d", bucket.config)
    assert (file.is_file(), file.is_dir(), file.name) == (True, False, "o")
    assert (folder.is_file(), folder.is_dir(), str(folder / "o")) == (False, True, str(file))
    assert located(root, bucket.config).is_dir()
    assert file.stat().st_size == SIZE
    assert located("a/b") == Path("a/b")
    with pytest.raises(MissingObjectError, match="no such object"):
        located(f"{root}/d/none", bucket.config).open("rb")
    with pytest.raises(MissingObjectError, match="no bucket nowhere-at-all"):
        located("s3://nowhere-at-all/x", bucket.config).is_dir()
    with pytest.raises(InputError, match=r"s3://B\?: no S3 path"):
        located("s3://B?")
