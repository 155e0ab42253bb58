"""What lies in a bucket: the listing of a prefix, and what is known of an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from etl.storage.client import MissingObjectError, explained, s3_client
from etl.storage.config import S3Config
from etl.storage.digest import Checksum
from etl.storage.location import Location
from schemas.errors import StepError

# Our own checksum travels in the metadata too: not every server keeps S3's.
SHA256_KEY, PART_KEY = "tokenfoundry-sha256", "tokenfoundry-part-bytes"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a listing; `name` is its key below the prefix asked for, `modified` the server's
    LastModified (epoch seconds)."""

    place: Location
    name: str
    size: int
    etag: str = ""
    modified: float = 0.0


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object's size in bytes, its ETag (which changes with the bytes), and the checksum that
    its bytes must have: ours, S3's SHA-256 or CRC-32, the MD5 in the ETag, or None without any."""

    size: int
    etag: str
    checksum: Checksum | None


def list_objects(prefix: Location, config: S3Config, limit: int = 0) -> Iterator[Listed]:
    """Every object below the folder `prefix`, page by page, in the order of the keys. Markers of
    folders (keys that end with a slash) are left out. With `limit`, not more than so many keys."""
    folder = prefix.folder
    request: dict[str, Any] = {"Bucket": prefix.bucket, "Prefix": folder}
    if limit:
        request["MaxKeys"] = limit
    with explained(prefix):
        for page in s3_client(config).get_paginator("list_objects_v2").paginate(**request):
            for found in page.get("Contents", ()):
                key = found["Key"]
                if not key.endswith("/"):
                    yield Listed(
                        Location(prefix.bucket, key), key[len(folder) :], found["Size"],
                        found["ETag"], found["LastModified"].timestamp(),
                    )  # fmt: skip
            if limit:
                return


def is_folder(prefix: Location, config: S3Config) -> bool:
    """Whether there is anything below `prefix`."""
    return any(list_objects(prefix, config, limit=2))  # the first may be the folder's own marker


def describe(place: Location, config: S3Config) -> ObjectInfo:
    """Raises `MissingObjectError` when there is no such object."""
    client = s3_client(config)
    named = {"Bucket": place.bucket, "Key": place.key}
    with explained(place):
        head = client.head_object(**named, ChecksumMode="ENABLED")

        def first_part() -> int:
            return int(client.head_object(**named, PartNumber=1)["ContentLength"])

        checksum = _stated(head, first_part)
    return ObjectInfo(head["ContentLength"], head["ETag"], checksum)


def find(place: Location, config: S3Config) -> ObjectInfo | None:
    try:
        return describe(place, config)
    except MissingObjectError:
        return None


def _stated(head: dict[str, Any], first_part: Any) -> Checksum | None:
    """The best checksum that a HEAD answer states. `first_part` gives the size of part 1, which
    is that of all but the last in every uploader's layout that we know."""
    ours = head.get("Metadata", {})
    if SHA256_KEY in ours and ours.get(PART_KEY, "").isdigit():
        value = ours[SHA256_KEY]
        return Checksum("sha256", value, int(ours[PART_KEY]) if "-" in value else 0)
    etag = head["ETag"].strip('"')
    several = "-" in etag
    stated = [("sha256", head.get("ChecksumSHA256")), ("crc32", head.get("ChecksumCRC32"))]
    encrypted = head.get("ServerSideEncryption", "AES256") != "AES256"
    if not encrypted and "SSECustomerAlgorithm" not in head:
        stated.append(("md5", etag))
    for algorithm, value in stated:
        if not value:
            continue
        if "-" in value:
            return Checksum(algorithm, value, first_part())
        if not several or head.get("ChecksumType") == "FULL_OBJECT":
            return Checksum(algorithm, value)
    return None


def read_object(place: Location, config: S3Config, max_bytes: int = 1 << 20) -> bytes | None:
    """The first bytes of a small object; None when there is none."""
    try:
        with explained(place):
            answer = s3_client(config).get_object(Bucket=place.bucket, Key=place.key)
            return bytes(answer["Body"].read(max_bytes))
    except MissingObjectError:
        return None


def write_object(place: Location, data: bytes, config: S3Config) -> None:
    """Writes a small object; files go up through `upload_file`."""
    with explained(place):
        s3_client(config).put_object(Bucket=place.bucket, Key=place.key, Body=data)


def delete_objects(places: Iterable[Location], config: S3Config) -> None:
    """Deletes objects, a thousand a request; those that are gone already are no error."""
    rest = iter(places)
    while batch := list(islice(rest, 1000)):
        with explained(batch[0]):
            answer = s3_client(config).delete_objects(
                Bucket=batch[0].bucket,
                Delete={"Objects": [{"Key": place.key} for place in batch], "Quiet": True},
            )
        for error in answer.get("Errors", ()):
            place = Location(batch[0].bucket, error["Key"])
            raise StepError(f"{place}: not deleted: {error['Code']}; allow s3:DeleteObject")
