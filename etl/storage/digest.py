"""Checksums as S3 counts them: of a whole file, or of the checksums of its parts.

An object that went up in N parts of equal size (the last may be shorter) has the checksum of its
parts' checksums, followed by `-N`. Sources: S3 user guide, "Checking object integrity" (composite
checksums); the ETag of objects that are not encrypted with KMS is the MD5 in the same form.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
MAX_PARTS = 10_000


class _Crc32:
    def __init__(self, data: bytes = b"") -> None:
        self._value = zlib.crc32(data)

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def md5(data: bytes = b"") -> Any:
    """MD5 because S3's ETags are: it finds damage, and proves nothing against an attacker."""
    return hashlib.md5(data, usedforsecurity=False)


_ALGORITHMS = {"sha256": hashlib.sha256, "crc32": _Crc32, "md5": md5}


@dataclass(frozen=True, slots=True)
class Checksum:
    """`value` as S3 writes it (base64; hex for MD5); `part_bytes` is 0 for that of a whole file."""

    algorithm: str
    value: str
    part_bytes: int = 0

    def matches(self, path: Path) -> bool:
        return file_checksum(path, self.algorithm, self.part_bytes) == self


def encode(algorithm: str, digest: bytes) -> str:
    return digest.hex() if algorithm == "md5" else base64.b64encode(digest).decode()


def sha256_base64(data: bytes) -> str:
    return encode("sha256", hashlib.sha256(data).digest())


def part_size(size: int, part_bytes: int) -> int:
    """`part_bytes`, doubled until a file of `size` bytes has no more parts than S3 takes."""
    while size > part_bytes * MAX_PARTS:
        part_bytes *= 2
    return part_bytes


def file_checksum(path: Path, algorithm: str = "sha256", part_bytes: int = 0) -> Checksum:
    """The checksum of a file; a composite one when it is larger than `part_bytes` (> 0)."""
    make: Any = _ALGORITHMS[algorithm]
    digests: list[bytes] = []
    composite = bool(part_bytes) and path.stat().st_size > part_bytes
    limit = part_bytes if composite else 0
    with path.open("rb") as file:
        hasher, left = make(), limit
        while chunk := file.read(min(_CHUNK, left) if limit else _CHUNK):
            hasher.update(chunk)
            left -= len(chunk)
            if limit and left == 0:
                digests.append(hasher.digest())
                hasher, left = make(), limit
        if not limit:
            return Checksum(algorithm, encode(algorithm, hasher.digest()))
        if left != limit:
            digests.append(hasher.digest())
    whole = encode(algorithm, make(b"".join(digests)).digest())
    return Checksum(algorithm, f"{whole}-{len(digests)}", part_bytes)
