"""Books: plain text, with Project Gutenberg's frame taken off, and EPUB.

Sources: gutenberg.org/policy/license.html; w3.org/TR/epub-33 (container, package, spine).
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.ingest.whole import DocumentError, decoded, read_whole
from etl.licence.evidence import Evidence, Licence, resolve
from etl.storage.files import S3File

EMPTY = "book.empty"
_START = re.compile(
    r"^\s*\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]{0,300}$|"
    r"^\*END\*? ?THE SMALL PRINT![^\n]{0,200}$",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(
    r"^\s*\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|"
    r"^End of (?:the )?Project Gutenberg(?:'s)?\b",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(r"^(Title|Author|Language|Release Date|Posting Date): *(.{1,300})$",
                    re.IGNORECASE | re.MULTILINE)  # fmt: skip
_FRAME = 30_000  # characters at either end that the frame lies in
_FREE = "use of anyone anywhere"
_COPYRIGHTED = "copyrighted project gutenberg"
_PUBLIC_DOMAIN, _GUTENBERG = "LicenseRef-public-domain", "LicenseRef-Project-Gutenberg-copyrighted"


def read_text(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """A file of plain text as one record."""
    place = Place(config, path, 0, path.stat().st_size)
    try:
        text = decoded(read_whole(path, config.max_record_bytes))
    except DocumentError as error:
        yield failed(place, error.error_class, str(error))
        return
    book = unframed(text)
    if not book.text.strip():
        yield rejected(place, EMPTY, 0, 1)
        return
    yield kept(
        place, book.text, licence=book.licence, title=book.fields.get("title"),
        author=book.fields.get("author"), language=book.fields.get("language"),
        date=book.fields.get("release date") or book.fields.get("posting date"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Book:
    text: str
    fields: dict[str, str] = field(default_factory=dict)
    licence: Licence | None = None


def unframed(text: str) -> Book:
    """The book without Project Gutenberg's header and footer, and what these say of it."""
    head, tail = text[:_FRAME], max(0, len(text) - _FRAME)
    # The last one: an old header has a first line of the kind too.
    start = max(_START.finditer(head), key=lambda found: found.start(), default=None)
    if start is None:
        return Book(text)
    end = _END.search(text, max(start.end(), tail))
    frame = head[: start.start()] + (text[end.start() :] if end else "")
    fields = {name.lower(): value.strip() for name, value in _FIELD.findall(head[: start.start()])}
    inner = text[start.end() : end.start() if end else len(text)]
    return Book(inner.strip("\n"), fields, _frame_licence(frame))


def _frame_licence(frame: str) -> Licence:
    words = " ".join(frame.split())
    lower = words.lower()
    for phrase, licence in ((_COPYRIGHTED, _GUTENBERG), (_FREE, _PUBLIC_DOMAIN)):
        if (at := lower.find(phrase)) >= 0:
            said = words[max(0, at - 60) : at + 160]
            return resolve([Evidence("book_notice", licence, said, "Project Gutenberg header")])
    return resolve([])


def read_epub(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """An EPUB as one record: the documents of its spine in order."""
    place = Place(config, path, 0, path.stat().st_size)
    try:
        with path.open("rb") as file, zipfile.ZipFile(cast("Any", file)) as archive:
            yield _epub(archive, place)
    except DocumentError as error:
        yield failed(place, error.error_class, str(error))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError,
            EOFError) as error:  # fmt: skip
        yield failed(place, "corrupt_zip", f"{type(error).__name__}: {error}")


def _epub(archive: zipfile.ZipFile, place: Place) -> Row:
    members = _Members(archive, place.config)
    container = _xml(members.read("META-INF/container.xml"))
    root = next((e.get("full-path") for e in container.iter() if _local(e) == "rootfile"), None)
    if not root:
        raise DocumentError("broken_epub", "META-INF/container.xml names no package")
    package = _xml(members.read(root))
    if locked := members.encrypted() & set(_spine(package, root)):
        raise DocumentError("encrypted", f"{len(locked)} documents are encrypted")
    parts, missing = [], 0
    for name in _spine(package, root):
        if name in members:
            parts.append(_document(members.read(name)))
        else:
            missing += 1
    text = "\n\n".join(part for part in parts if part)
    about = {name: _metadata(package, name) for name in ("title", "language", "date", "rights")}
    creators = [e.text.strip() for e in package.iter() if _local(e) == "creator" and e.text]
    if len(text.encode()) > place.config.max_record_bytes:
        limit = place.config.max_record_bytes
        raise DocumentError("too_large", f"more text than max_record_bytes={limit}")
    if not text:
        return rejected(place, EMPTY, 0, 1, title=about["title"])
    return kept(
        place, text, licence=rights_licence(about["rights"]), title=about["title"],
        language=about["language"], date=about["date"], author="; ".join(creators[:20]),
        missing_parts=missing or None,
    )  # fmt: skip


def rights_licence(rights: str) -> Licence:
    """What a `dc:rights` says."""
    from etl.licence.spdx import spdx_from_text

    lower = rights.lower()
    spdx = spdx_from_text(rights)
    if spdx is None and "public domain" in lower and not re.search(r"\bnot\b|\bno longer\b", lower):
        spdx = _PUBLIC_DOMAIN
    return resolve([Evidence("dublin_core", spdx, rights, "dc:rights")] if spdx else [])


# HTML knows no empty form of these, and would take all that follows for their content.
_SELF_CLOSED = re.compile(
    r"<(title|script|style|textarea|iframe|a|div|span|p|i|b|em|strong|td|h[1-6])\b([^<>]{0,500})/>",
    re.IGNORECASE,
)


def _document(data: bytes) -> str:
    from etl.extract.fragment import fragment_text
    from etl.extract.html import PageError

    source = _SELF_CLOSED.sub(r"<\1\2></\1>", decoded(data))
    try:
        return fragment_text(source)
    except PageError as error:
        raise DocumentError(error.error_class, str(error)) from None


class _Members:
    """The files of a zip, read in memory and bounded together; nothing is written anywhere."""

    def __init__(self, archive: zipfile.ZipFile, config: IngestConfig) -> None:
        self._archive, self._left = archive, config.formats.archive_bytes
        self._limit = config.formats.archive_bytes
        if len(archive.infolist()) > config.formats.archive_members:
            raise DocumentError("too_many_members", f"{len(archive.infolist())} files in the zip")
        self._names = {info.filename: info for info in archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str) -> bytes:
        info = self._names.get(name)
        if info is None:
            raise DocumentError("broken_epub", f"{name} is not in the zip")
        if info.flag_bits & 1:
            raise DocumentError("encrypted", f"{name} needs a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DocumentError("corrupt_zip", f"{name}: a compression that EPUB does not have")
        with self._archive.open(info) as file:
            data = file.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            message = f"the parts inflate to more than archive_bytes={self._limit}"
            raise DocumentError("decompression_bomb", message)
        return data

    def encrypted(self) -> set[str]:
        """Parts that META-INF/encryption.xml lists: fonts, as a rule; under DRM the text."""
        if "META-INF/encryption.xml" not in self:
            return set()
        listed = _xml(self.read("META-INF/encryption.xml"))
        uris = (e.get("URI") for e in listed.iter() if _local(e) == "CipherReference")
        return {unquote(uri) for uri in uris if uri}


def _xml(data: bytes) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        # A document type is common in old packages and does no harm; entities are refused.
        return fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise DocumentError("forbidden_xml", f"{type(error).__name__} in the package") from None
    except (ParseError, ValueError, RecursionError) as error:
        raise DocumentError("broken_epub", f"the package is no XML: {error}") from None


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _metadata(package: Any, name: str) -> str:
    found = (e.text for e in package.iter() if _local(e) == name and e.text)
    return " ".join(next(found, "").split())[:1000]


def _spine(package: Any, root: str) -> list[str]:
    """The names of the text's documents in reading order: no navigation, nothing twice."""
    folder = posixpath.dirname(root)
    items = {e.get("id"): e for e in package.iter() if _local(e) == "item"}
    names: list[str] = []
    for reference in (e for e in package.iter() if _local(e) == "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no":
            continue
        if "nav" in (item.get("properties") or "").split():
            continue
        kind = item.get("media-type") or ""
        if "html" in kind or "dtbook" in kind:
            href = unquote((item.get("href") or "").partition("#")[0])
            names.append(posixpath.normpath(posixpath.join(folder, href)))
    return list(dict.fromkeys(names))
