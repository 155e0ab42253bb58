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
    ".txt": "text",
    ".tex": "latex",
}
_PACKED = (".gz", ".bz2", ".zst", ".zstd")
_XML_START = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,4096}?-->\s*)*<(?:!DOCTYPE\s+)?([A-Za-z][\w.-]{0,40})[\s>]",
    re.DOTALL,
)
_XML_ROOTS = {"mediawiki": "mediawiki"} | dict.fromkeys(
    ("posts", "users", "comments", "votes", "badges", "tags", "posthistory", "postlinks"),
    "stackexchange",
)
_ROWS = re.compile(rb"<(?:row\b|/)")
_LATEX = re.compile(
    rb"^[^%\n]{0,200}\\(?:documentclass|documentstyle|begin\{document\})", re.MULTILINE
)
_GUTENBERG = re.compile(rb"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_BUNDLE = re.compile(rb"# v[23] git bundle\n")
_TAR = (b"ustar\x00", b"ustar ")
_MAGIC = {b"7z\xbc\xaf\x27\x1c": "7z", b"PK\x03\x04": "zip", b"%PDF-": "pdf"}
_EPUB = b"mimetypeapplication/epub+zip"


class Format(StrEnum):
    """The formats that can be read, and three that cannot."""

    WARC = "warc"
    WET = "wet"
    HTML = "html"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DELTA = "delta"
    MEDIAWIKI = "mediawiki"
    STACKEXCHANGE = "stackexchange"
    SEVENZIP = "7z"  # an archive of a StackExchange site
    REPOSITORY = "repository"  # a folder with a git repository
    BUNDLE = "bundle"
    LATEX = "latex"
    TAR = "tar"  # of a paper, or of many
    PDF = "pdf"
    EPUB = "epub"
    TEXT = "text"  # a book
    ZIP = "zip"  # that is no EPUB
    FOLDER = "folder"  # many files, each told on its own
    EMPTY = "empty"
    UNKNOWN = "unknown"


KNOWN = (
    "WARC, WET, HTML, JSONL, Parquet, Delta, MediaWiki and StackExchange dumps, git repositories "
    "and bundles, LaTeX (also in tar), PDF, EPUB, plain text"
)


@dataclass(frozen=True, slots=True)
class Detected:
    """A format, and the compression around it: `gzip`, `bzip2`, `zstd` or an empty string."""

    format: Format
    compression: str = ""


def detect(path: str | Path | S3File) -> Detected:
    """Tells a file or folder by its content. Raises `InputError` when `path` does not exist."""
    path = Path(path) if isinstance(path, str) else path
    if path.is_dir():
        if (path / "_delta_log").is_dir():
            return Detected(Format.DELTA)
        repository = isinstance(path, Path) and is_repository(path)
        return Detected(Format.REPOSITORY if repository else Format.FOLDER)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; give an existing path")
    with path.open("rb") as file:
        packed = compression(start := file.read(4))
    if not start:
        return Detected(Format.EMPTY)
    return Detected(_of_head(_head(path), path), packed)


def is_repository(folder: Path) -> bool:
    """Whether a folder holds a git repository: `.git`, or the parts of a bare one."""
    if (folder / ".git" / "HEAD").is_file():
        return True
    return (folder / "HEAD").is_file() and all(
        (folder / part).is_dir() for part in ("objects", "refs")
    )


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
    return _of_document(head, text) or _of_name(path)


def _of_document(head: bytes, text: bytes) -> Format | None:
    """Dumps, archives, papers and books; HTML comes after the XML that it could be taken for."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            epub = name == "zip" and _EPUB in head[:200]
            return Format.EPUB if epub else Format(name)
    if head[257:263] in _TAR or head[257:265] == b"ustar  \0":
        return Format.TAR
    if _BUNDLE.match(head):
        return Format.BUNDLE
    root = _XML_START.match(text)
    named = _XML_ROOTS.get(root.group(1).decode().lower()) if root else None
    if (
        root
        and named
        and (named == "mediawiki" or _ROWS.match(text[root.end() :].lstrip(b">\r\n\t ")))
    ):
        return Format(named)
    if _HTML.match(text):
        return Format.HTML
    if _LATEX.search(text):
        return Format.LATEX
    return Format.TEXT if _GUTENBERG.search(text) else None


def _of_name(path: Path | S3File) -> Format:
    name = path.name.lower()
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return Format(_NAMES.get(Path(name).suffix, "unknown"))
