"""Objects to files: by range, taken up again where it broke off, renamed only when verified."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from etl.storage.batches import Transfer, Transferred, in_parallel
from etl.storage.client import backoff, explained, s3_client
from etl.storage.config import S3Config
from etl.storage.location import Location
from etl.storage.objects import Listed, ObjectInfo, describe, list_objects
from schemas.errors import InputError, StepError

_CHUNK = 1 << 20


def download_file(place: Location, target: Path, config: S3Config) -> Transfer:
    """Makes `target` hold the object's bytes; it is whole and verified, or what it was before.

    A file that holds them already is left alone. An interrupted download goes on with what had
    arrived of the same object. Raises `MissingObjectError`; `StepError` when the bytes are not
    those that the object's checksum states.
    """
    info = describe(place, config)
    checked_by = info.checksum.algorithm if info.checksum else "size"
    if target.is_file() and info.checksum and _verified(target, info):
        return Transfer(place, info.size, 0, checked_by)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Bytes of another version of the object have another name.
    version = hashlib.sha256(f"{place}\n{info.etag}".encode()).hexdigest()[:16]
    part = target.with_name(f".{target.name[:200]}.{version}.part")
    sent = _fetch(place, part, info, config)
    if not _verified(part, info):
        part.unlink()
        raise StepError(
            f"{place}: the bytes received are not those that its {checked_by} states; "
            "run again, and if it fails again the object is damaged"
        )
    part.replace(target)
    return Transfer(place, info.size, sent, checked_by)


def _verified(path: Path, info: ObjectInfo) -> bool:
    if path.stat().st_size != info.size:
        return False
    return info.checksum is None or info.checksum.matches(path)


def _fetch(place: Location, part: Path, info: ObjectInfo, config: S3Config) -> int:
    """Appends what is missing to `part`; the number of bytes received."""
    start = 0
    with part.open("ab") as file:
        if file.tell() > info.size:
            file.truncate(0)
        start = file.tell()
        failures = 0
        while file.tell() < info.size:
            before = file.tell()
            _receive(place, file, info, config)
            failures = failures + 1 if file.tell() == before else 0
            if failures >= config.max_attempts:
                raise StepError(
                    f"{place}: broke off at byte {before} of {info.size}, {failures} times; "
                    "check the network, then run again"
                )
            if file.tell() < info.size:
                backoff(failures + 1)
        os.fsync(file.fileno())
    return info.size - start


def _receive(place: Location, file: Any, info: ObjectInfo, config: S3Config) -> None:
    """One request for all that is missing; a connection that breaks just ends it."""
    from botocore.exceptions import BotoCoreError

    with explained(place):
        answer = s3_client(config).get_object(
            Bucket=place.bucket,
            Key=place.key,
            Range=f"bytes={file.tell()}-",
            IfMatch=info.etag,
        )
    body = answer["Body"]
    try:
        while chunk := body.read(_CHUNK):
            file.write(chunk)
    except BotoCoreError:
        pass
    finally:
        file.flush()
        body.close()


def download_folder(prefix: Location, target: Path, config: S3Config) -> Transferred:
    """Downloads every object below `prefix`, `max_concurrency` at a time, in the order of the keys.

    Raises `InputError` when there is none, or for a key that would leave `target`.
    """

    def fetch(found: Listed) -> Transfer:
        return download_file(found.place, target / _safe(found), config)

    total = Transferred()
    for one in in_parallel(fetch, list_objects(prefix, config), config.max_concurrency):
        total += one
    if not total.files:
        raise InputError(f"{prefix}: holds no objects; check bucket and prefix")
    return total


def _safe(found: Listed) -> str:
    parts = found.name.split("/")
    if "\0" in found.name or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{found.place}: its key is no file name; copy it under another key")
    return found.name
