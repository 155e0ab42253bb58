"""Files to objects: in parts, each checked as it arrives, taken up again where it broke off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any

from etl.storage.batches import Transfer, Transferred, in_parallel
from etl.storage.client import backoff, explained, s3_client
from etl.storage.config import S3Config
from etl.storage.digest import Checksum, file_checksum, md5, part_size, sha256_base64
from etl.storage.location import Location
from etl.storage.objects import PART_KEY, SHA256_KEY, find
from schemas.errors import StepError


def upload_file(source: Path, place: Location, config: S3Config) -> Transfer:
    """Makes `place` hold the bytes of `source`; readers see the old object or the whole new one.

    An object that holds them already is left alone. An interrupted upload goes on with the parts
    that had arrived. What the server received is compared part by part (SHA-256, or the MD5 in the
    ETag) and as a whole; a mismatch that `max_attempts` tries do not mend is a `StepError`.
    """
    size = source.stat().st_size
    checksum = file_checksum(source, "sha256", part_size(size, config.part_bytes))
    if _holds(place, size, checksum, config):
        return Transfer(place, size, 0, checksum.algorithm)
    upload = _Upload(source, place, size, checksum, config)
    sent = upload.parts(resume=True) if checksum.part_bytes else upload.whole()
    if checksum.part_bytes and not _holds(place, size, checksum, config):
        # The parts were right, but belonged to an upload begun for another state of the file.
        sent += upload.parts(resume=False)
    if not _holds(place, size, checksum, config):
        raise StepError(f"{place}: is not what {source} holds; something else writes there too")
    return Transfer(place, size, sent, checksum.algorithm)


def _holds(place: Location, size: int, checksum: Checksum, config: S3Config) -> bool:
    found = find(place, config)
    return found is not None and (found.size, found.checksum) == (size, checksum)


@dataclass(frozen=True, slots=True)
class _Upload:
    source: Path
    place: Location
    size: int
    checksum: Checksum
    config: S3Config

    @property
    def _named(self) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.place.key}

    @property
    def _metadata(self) -> dict[str, str]:
        return {SHA256_KEY: self.checksum.value, PART_KEY: str(self.checksum.part_bytes)}

    def whole(self) -> int:
        data = self.source.read_bytes()
        put = s3_client(self.config).put_object
        self._checked(data, lambda **body: put(**self._named, **body, Metadata=self._metadata))
        return len(data)

    def parts(self, *, resume: bool) -> int:
        """Sends what has not arrived yet, in parallel; the number of bytes sent."""
        client = s3_client(self.config)
        with explained(self.place):
            upload_id = self._begun(client) if resume else None
            if upload_id is None:
                made = client.create_multipart_upload(
                    **self._named, ChecksumAlgorithm="SHA256", Metadata=self._metadata
                )
                upload_id = made["UploadId"]
            named = {**self._named, "UploadId": upload_id}
            there = self._arrived(client, named)
        numbers = range(1, -(-self.size // self.checksum.part_bytes) + 1)

        def send(number: int) -> tuple[dict[str, Any], int]:
            data = self._part(number)
            entry = {"PartNumber": number, "ChecksumSHA256": sha256_base64(data)}
            known = there.get(number)
            if known and known["Size"] == len(data) and _received(known, data):
                return entry | {"ETag": known["ETag"]}, 0
            answer = self._checked(
                data, lambda **body: client.upload_part(**named, PartNumber=number, **body)
            )
            return entry | {"ETag": answer["ETag"]}, len(data)

        done = list(in_parallel(send, numbers, self.config.max_concurrency))
        with explained(self.place):
            client.complete_multipart_upload(
                **named, MultipartUpload={"Parts": [entry for entry, _ in done]}
            )
        return sum(sent for _, sent in done)

    def _part(self, number: int) -> bytes:
        length = self.checksum.part_bytes
        with self.source.open("rb") as file:
            file.seek((number - 1) * length)
            return file.read(length)

    def _begun(self, client: Any) -> str | None:
        """The latest upload to this key that was begun and not ended."""
        pages = client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.place.bucket, Prefix=self.place.key
        )
        found = [
            (upload["Initiated"], upload["UploadId"])
            for page in pages
            for upload in page.get("Uploads", ())
            if upload["Key"] == self.place.key
        ]
        return max(found)[1] if found else None

    def _arrived(self, client: Any, named: dict[str, str]) -> dict[int, dict[str, Any]]:
        pages = client.get_paginator("list_parts").paginate(**named)
        return {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}

    def _checked(self, data: bytes, send: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """Sends `data` until the server has received just that."""
        for attempt in range(self.config.max_attempts):
            if attempt:
                backoff(attempt)
            with explained(self.place):
                answer = send(Body=data, ChecksumSHA256=sha256_base64(data))
            if _received(answer, data):
                return answer
        raise StepError(
            f"{self.place}: the server received other bytes than {self.source} holds, "
            f"{self.config.max_attempts} times; check the network, then run again"
        )


def _received(answer: dict[str, Any], data: bytes) -> bool:
    """Whether the answer to an upload states the checksum of `data`: S3's, or the ETag's MD5."""
    if stated := answer.get("ChecksumSHA256"):
        return bool(stated == sha256_base64(data))
    if answer.get("ServerSideEncryption", "AES256") != "AES256":
        return True  # a KMS object's ETag is no MD5, and its server checks ChecksumSHA256
    return bool(answer["ETag"].strip('"') == md5(data).hexdigest())


def upload_folder(
    source: Path, place: Location, config: S3Config, pattern: str = "*"
) -> Transferred:
    """Uploads the files below `source` whose names match `pattern`, in the order of their names:
    small ones side by side, then those in parts, one by one."""
    files = sorted(path for path in source.rglob(pattern) if path.is_file())

    def send(path: Path) -> Transfer:
        return upload_file(path, place.child(path.relative_to(source).as_posix()), config)

    def is_small(path: Path) -> bool:
        return path.stat().st_size <= config.part_bytes

    total = Transferred()
    for one in in_parallel(send, filter(is_small, files), config.max_concurrency):
        total += one
    for path in filterfalse(is_small, files):
        total += send(path)
    return total
