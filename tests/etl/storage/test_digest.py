"""Checksums against hashlib's and zlib's own, in S3's composite form."""

from __future__ import annotations

import base64
import hashlib
import random
import zlib
from pathlib import Path

import pytest

from etl.storage.digest import MAX_PARTS, Checksum, file_checksum, part_size

PART = 3 << 20


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 5])
def test_the_checksum_of_parts(tmp_path: Path, seed: int, size: int) -> None:
    data = random.Random(seed).randbytes(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    whole = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert file_checksum(path) == Checksum("sha256", whole)
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    assert file_checksum(path, "crc32") == Checksum("crc32", crc)
    found = file_checksum(path, "md5", PART)
    if size <= PART:
        assert found == Checksum("md5", hashlib.md5(data, usedforsecurity=False).hexdigest())
        return
    parts = [data[start : start + PART] for start in range(0, size, PART)]
    joined = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    value = hashlib.md5(joined, usedforsecurity=False).hexdigest()
    assert found == Checksum("md5", f"{value}-{len(parts)}", PART)
    assert found.matches(path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert not found.matches(path)


def test_the_number_of_parts_is_bounded() -> None:
    assert part_size(100, PART) == PART
    assert part_size(PART * MAX_PARTS, PART) == PART
    assert part_size(PART * MAX_PARTS + 1, PART) == 2 * PART
