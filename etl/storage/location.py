"""Names of objects: `s3://bucket/key` for people and boto3, `s3a://bucket/key` for Spark."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import InputError

_SCHEME = re.compile(r"s3[an]?://", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_s3(path: str) -> bool:
    return _SCHEME.match(path) is not None


def spark_path(path: str) -> str:
    """The path as Spark takes it: S3 goes through Hadoop's S3A. The only place that translates."""
    found = _SCHEME.match(path)
    return f"s3a://{path[found.end() :]}" if found else path


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key, or a prefix of keys; the key may be empty."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, path: str) -> Location:
        """Raises `InputError` when `path` is no `s3://bucket[/key]`."""
        found = _SCHEME.match(path)
        bucket, _, key = path[found.end() :].partition("/") if found else ("", "", "")
        if not _BUCKET.fullmatch(bucket):
            raise InputError(f"{path}: no S3 path; write s3://bucket/prefix")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def child(self, name: str) -> Location:
        key = self.key.rstrip("/")
        return Location(self.bucket, f"{key}/{name}" if key else name)

    @property
    def folder(self) -> str:
        """The prefix of everything below: the key with one slash at its end, or nothing."""
        key = self.key.rstrip("/")
        return f"{key}/" if key else ""
