"""Papers as arXiv hands them out: LaTeX, a tar of one paper, a tar of many papers.

Source: info.arxiv.org/help/bulk_data (the shape of its source archives).
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from etl.ingest.config import IngestConfig
from etl.ingest.latex import Paper, read_paper
from etl.ingest.pdf import pdf_row
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.ingest.streams import DamagedStream, inflated, open_chunks
from etl.ingest.whole import DocumentError, decoded, read_whole
from etl.storage.files import S3File

NO_DOCUMENT, EMPTY = "latex.no_document", "latex.empty"
_TEX = (".tex", ".ltx", ".latex")
_NEW_ID = re.compile(r"(\d{4}\.\d{4,5})(v\d+)?")
_OLD_ID = re.compile(r"([a-z]+(?:-[a-z]+)?)(?:\.[A-Z]{2})?(\d{7})(v\d+)?")
_PACKED = (".tar.gz", ".tgz", ".tar", ".tex.gz", ".gz")
_HEADERS = 2 << 20  # bytes that the headers before one member may take


def read_latex(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """One file of LaTeX as a paper."""
    place = Place(config, path, 0, path.stat().st_size)
    try:
        source = decoded(read_whole(path, config.max_record_bytes))
    except DocumentError as error:
        yield failed(place, error.error_class, str(error))
        return
    yield _paper_row(place, {path.name: source}, path.name)


def read_tar(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """A tar of one paper's files as one row; of a tar of many, each paper and PDF as a row."""
    place = Place(config, path)
    archive = _Archive(open_chunks(path), place)
    try:
        yield from archive.papers()
    except DocumentError as error:
        yield failed(place, error.error_class, str(error))
        return
    if archive.sources or not archive.found:
        whole = Place(config, path, 0, path.stat().st_size)
        yield _paper_row(whole, archive.sources, path.name)


class _Archive:
    """One pass over a tar: hands out papers that lie in it, collects the LaTeX of its own."""

    def __init__(self, chunks: Iterator[bytes], place: Place, *, inner: bool = False) -> None:
        self._file, self._place, self._inner = _Chunks(chunks), place, inner
        self._limits = place.config.formats
        self.sources: dict[str, str] = {}
        self.found = 0
        self._size = 0

    def papers(self) -> Iterator[Row]:
        """Raises `DocumentError` where the archive cannot be read on."""
        try:
            # A stream: nothing is unpacked to disk, and links lead nowhere.
            self._file.allow(_HEADERS)
            with tarfile.open(fileobj=cast("Any", self._file), mode="r|") as archive:
                while (member := archive.next()) is not None:
                    self._file.allow(member.size + _HEADERS)
                    if member.isreg():
                        yield from self._member(archive, member)
                    cast("Any", archive).members = []  # or it would keep every header
        except DamagedStream as damage:
            raise DocumentError(damage.error_class, str(damage)) from None
        except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
            raise DocumentError("corrupt_tar", f"{type(error).__name__}: {error}") from None

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Row]:
        name = posixpath.normpath(member.name.lstrip("/"))
        base = posixpath.basename(name)
        if name.startswith(".."):
            return
        if name.lower().endswith(_TEX):
            self._take(name, self._read(archive, member))
        elif not self._inner and paper_url(base) and base.lower().endswith((*_PACKED, ".pdf")):
            self.found += 1
            yield self._paper(archive, member, name)
        elif self._inner and "." not in base and not self.sources and member.size < 1 << 20:
            self._take(name, self._read(archive, member))  # old papers: a file without a suffix

    def _paper(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> Row:
        place = Place(self._place.config, self._place.path, inner=name)
        if member.size > self._limits.archive_bytes:
            limit = self._limits.archive_bytes
            return failed(place, "too_large", f"{member.size} bytes, more than {limit}")
        file = archive.extractfile(member)
        data = file.read() if file is not None else b""
        if data.startswith(b"%PDF"):
            return pdf_row(place, data, paper_url(name))
        try:
            return _paper_row(place, _sources(data, place, name), name)
        except DocumentError as error:
            return failed(place, error.error_class, str(error))

    def _read(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        self._size += member.size
        if self._size > self._limits.archive_bytes:
            limit = self._limits.archive_bytes
            raise DocumentError("too_large", f"more LaTeX than archive_bytes={limit}")
        if len(self.sources) >= self._limits.archive_members:
            limit = self._limits.archive_members
            raise DocumentError("too_many_members", f"more than archive_members={limit} files")
        file = archive.extractfile(member)
        return file.read() if file is not None else b""

    def _take(self, name: str, data: bytes) -> None:
        try:
            self.sources[name] = decoded(data)
        except DocumentError:
            return  # a picture that is called .tex: the paper goes without it


class _Chunks:
    """A stream of chunks as the file that tarfile reads, which must not read on for ever."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._held, self._allowed = chunks, b"", 0

    def allow(self, size: int) -> None:
        """Bounds what is read until the next call: a header can claim any length."""
        self._allowed = size

    def read(self, size: int) -> bytes:
        parts, missing = [self._held[:size]], size - len(self._held[:size])
        self._held = self._held[size:]
        while missing > 0 and (chunk := next(self._chunks, b"")):
            parts.append(chunk[:missing])
            self._held = chunk[missing:]
            missing -= len(parts[-1])
        self._allowed -= size - missing
        if self._allowed < 0:
            raise DamagedStream("corrupt_tar", "a header that is longer than any may be", 0)
        return b"".join(parts)

    def close(self) -> None:
        return None


def _sources(data: bytes, place: Place, name: str) -> dict[str, str]:
    """The LaTeX files of one packed paper."""
    limit = place.config.formats.archive_bytes
    chunks = _bounded(inflated(io.BytesIO(data)), limit)
    try:
        head = next(chunks, b"")
        if head[257:262] == b"ustar":
            archive = _Archive(_joined(head, chunks), place, inner=True)
            list(archive.papers())
            return archive.sources
        return {name: decoded(head + b"".join(chunks))}
    except DamagedStream as damage:
        raise DocumentError(damage.error_class, str(damage)) from None


def _joined(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


def _bounded(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise DocumentError("decompression_bomb", f"inflates to more than {limit} bytes")
        yield chunk


def _paper_row(place: Place, sources: dict[str, str], name: str) -> Row:
    paper: Paper | None = read_paper(sources, place.config.max_record_bytes)
    url = paper_url(name)
    if paper is None:
        return rejected(place, NO_DOCUMENT, 0, 1, url=url)
    if not paper.text:
        return rejected(place, EMPTY, 0, 1, url=url, title=paper.title)
    return kept(
        place, paper.text, url=url, title=paper.title, author=paper.authors, main_file=paper.main
    )


def paper_url(name: str) -> str:
    """The abstract page of an arXiv identifier that the file is named by, else an empty string."""
    base = posixpath.basename(name)
    for suffix in (*_PACKED, ".pdf", ".tex"):
        if base.lower().endswith(suffix):
            base = base[: -len(suffix)]
            break
    if found := _NEW_ID.fullmatch(base):
        return f"https://arxiv.org/abs/{found.group(1)}"
    if found := _OLD_ID.fullmatch(base):
        return f"https://arxiv.org/abs/{found.group(1)}/{found.group(2)}"
    return ""
