"""What a file is, told by its content; the name only decides where the content says nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from etl.ingest.streams import DamagedStream, compression, open_chunks
from etl.storage.files import S3File
from schemas.errors import InputError

_HEAD = 1 << 16
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,4096}?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|title|div|p|h1|script|table|span|a|br|center|font|article|section|main)\b",
    re.IGNORECASE | re.DOTALL,
)
_WARC_TYPE = re.compile(rb"^WARC-Type:\s*(\w+)", re.IGNORECASE | re.MULTILINE)
_NAMES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".warc": "warc",
    ".wet": "wet",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_PACKED = (".gz", ".zst", ".zstd")


class Format(StrEnum):
    """The formats that can be read, and two that cannot."""

    WARC = "warc"
    WET = "wet"
    HTML = "html"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DELTA = "delta"
    FOLDER = "folder"  # many files, each told on its own
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Detected:
    """A format, and the compression around it: `gzip`, `zstd` or an empty string."""

    format: Format
    compression: str = ""


def detect(path: str | Path | S3File) -> Detected:
    """Tells a file or folder by its content. Raises `InputError` when `path` does not exist."""
    path = Path(path) if isinstance(path, str) else path
    if path.is_dir():
        delta = (path / "_delta_log").is_dir()
        return Detected(Format.DELTA if delta else Format.FOLDER)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; give an existing path")
    with path.open("rb") as file:
        packed = compression(start := file.read(4))
    if not start:
        return Detected(Format.EMPTY)
    return Detected(_of_head(_head(path), path), packed)


def _head(path: Path | S3File) -> bytes:
    """The first decompressed bytes: as many as a damaged file still gives."""
    head = b""
    try:
        for chunk in open_chunks(path):
            head += chunk
            if len(head) >= _HEAD:
                break
    except DamagedStream:
        pass
    return head[:_HEAD]


def _of_head(head: bytes, path: Path | S3File) -> Format:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if text.startswith(b"WARC/"):
        kinds = [kind.lower() for kind in _WARC_TYPE.findall(head)]
        return Format.WET if b"conversion" in kinds else Format.WARC
    if text.startswith(b"{"):
        return Format.JSONL
    if _HTML.match(text):
        return Format.HTML
    return _of_name(path)


def _of_name(path: Path | S3File) -> Format:
    name = path.name.lower()
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return Format(_NAMES.get(Path(name).suffix, "unknown"))
