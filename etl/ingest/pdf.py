"""PDF: text page by page, read in a process with bounded memory and time, then made to flow.

The parser is pdfium (pypdfium2). What is left of the layout is undone here: running headers, page
numbers, hyphens at line ends, lines of a paragraph.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.ingest.whole import DocumentError, read_whole
from etl.licence.evidence import Evidence, Licence, resolve
from etl.storage.files import S3File

NO_TEXT = "pdf.no_text"
_EDGE_LINES = 2
_REPEATED_PAGES, _REPEATED_SHARE = 3, 0.4
_NUMBER = re.compile(
    r"[-–—\s]*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/)\s*\d{1,4})?[-–—\s]*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_SOFT_HYPHEN = re.compile("[\u0002\u00ad\ufffe]\\s*\n?\\s*")
_HYPHEN = re.compile(r"(?<=[a-zà-ÿ])[-‐]\n(?=[a-zà-ÿ])")
_KEPT_HYPHEN = re.compile(r"(?<=\w)[-‐]\n(?=\w)")  # before a name or a number
_NEW_LINE = re.compile(r"\s*(?:[-•*▪◦]\s|\(?\d{1,3}[.)]\s|\[\d{1,3}\])")
_FULL_SHARE = 0.75
_XMP = re.compile(rb"<x:xmpmeta.{0,200000}?</x:xmpmeta>", re.DOTALL)
_XMP_LICENCE = re.compile(
    rb"(?:WebStatement|cc:license|dc:rights|xmpRights:UsageTerms|dcterms:license)\b.{0,600}",
    re.DOTALL,
)


def read_pdf(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """A PDF as one record; one without text (a scan) is rejected, an encrypted one quarantined."""
    from etl.ingest.papers import paper_url

    place = Place(config, path, 0, path.stat().st_size)
    try:
        data = read_whole(path, config.formats.archive_bytes)
    except DocumentError as error:
        yield failed(place, error.error_class, str(error))
        return
    yield pdf_row(place, data, paper_url(path.name))


def pdf_row(place: Place, data: bytes, url: str = "") -> Row:
    """The row of a PDF's bytes."""
    limits = place.config.formats
    try:
        about, pages = _pages(data, place.config)
    except DocumentError as error:
        return failed(place, error.error_class, str(error))
    characters = sum(len(page.strip()) for page in pages)
    share = characters / max(1, len(pages))
    if share < limits.pdf_page_characters:
        return rejected(place, NO_TEXT, share, limits.pdf_page_characters, url=url)
    return kept(
        place, flowing(pages), url=url, licence=_licence(data), title=about.get("title"),
        author=about.get("author"), date=about.get("date"), pages=len(pages),
    )  # fmt: skip


def _pages(data: bytes, config: IngestConfig) -> tuple[dict[str, Any], list[str]]:
    """Raises `DocumentError` of the class that the worker says, `too_slow` or `crashed`."""
    limits, most = config.formats, config.max_record_bytes
    worker = str(Path(__file__).with_name("pdf_worker.py"))
    bounds = (limits.pdf_memory, limits.pdf_seconds, limits.pdf_pages, most)
    command = [sys.executable, "-I", worker, *map(str, bounds)]
    with tempfile.TemporaryFile() as output:
        try:
            ended = subprocess.run(  # noqa: S603 - no shell, this interpreter, numbers
                command, input=data, stdout=output, stderr=subprocess.DEVNULL,
                timeout=limits.pdf_seconds, env={"LC_ALL": "C.UTF-8"}, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            message = f"more than pdf_seconds={limits.pdf_seconds}"
            raise DocumentError("too_slow", message) from None
        output.seek(0)
        # JSON spells a character with up to 12 bytes.
        said = [json.loads(line) for line in output.read(12 * most + (1 << 20)).splitlines()]
    for line in said:
        if "error" in line:
            raise DocumentError(line["error"], line["message"])
    if ended.returncode or not said:
        raise DocumentError("crashed", f"the PDF reader ended with status {ended.returncode}")
    return said[0], [line["text"] for line in said[1:]]


def flowing(pages: Sequence[str]) -> str:
    """The pages' text without running headers and page numbers, paragraphs as single lines."""
    lined = [[line.rstrip() for line in _lines(page)] for page in pages]
    running = _running(lined)
    inner = ("\n".join(_without_edges(lines, running)) for lines in lined)
    text = _HYPHEN.sub("", "\n".join(page for page in inner if page))
    return "\n".join(_paragraphs(_KEPT_HYPHEN.sub("-", text).split("\n")))


def _lines(page: str) -> list[str]:
    text = page.replace("\r\n", "\n").replace("\r", "\n")
    return _SOFT_HYPHEN.sub("", text).split("\n")


def _shape(line: str) -> str:
    return _DIGITS.sub("#", " ".join(line.split()).lower())


def _running(pages: list[list[str]]) -> set[str]:
    """Lines at the top or the bottom of many pages, whatever their numbers."""
    seen: Counter[str] = Counter()
    for lines in pages:
        full = [line for line in lines if line.strip()]
        seen.update({_shape(line) for line in [*full[:_EDGE_LINES], *full[-_EDGE_LINES:]]})
    least = max(_REPEATED_PAGES, _REPEATED_SHARE * len(pages))
    return {shape for shape, count in seen.items() if count >= least}


def _without_edges(lines: list[str], running: set[str]) -> list[str]:
    full = [number for number, line in enumerate(lines) if line.strip()]
    first, last = full[:_EDGE_LINES], full[-_EDGE_LINES:]
    start = next((n for n in first if not _is_edge(lines[n], running)), None)
    end = next((n for n in reversed(last) if not _is_edge(lines[n], running)), None)
    begin = start if start is not None else (first[-1] + 1 if first else 0)
    return lines[begin : end + 1 if end is not None else last[0] if last else 0]


def _is_edge(line: str, running: set[str]) -> bool:
    return _shape(line) in running or bool(_NUMBER.fullmatch(line))


def _paragraphs(lines: list[str]) -> list[str]:
    """Joins a line to the one before it when that was full and does not end the sentence."""
    lengths = sorted(len(line) for line in lines if line.strip())
    full = _FULL_SHARE * lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0
    held: list[list[str]] = []
    last = ""
    for line in lines:
        joins = (
            held and last.strip() and line.strip() and len(last) >= full
            and not last.rstrip().endswith((".", "!", "?", ":")) and not _NEW_LINE.match(line)
        )  # fmt: skip
        ended = last.rstrip().endswith((".", "!", "?"))
        if joins or (held and ended and len(last) >= full and line[:1].islower()):
            held[-1].append(line.strip())
        else:
            held.append([line.strip()])
        last = line
    return [" ".join(part) for part in held]


def _licence(data: bytes) -> Licence:
    """A licence that the document's XMP metadata link to or name."""
    from etl.licence.spdx import spdx_from_text

    packet = _XMP.search(data)
    found = []
    for stated in _XMP_LICENCE.findall(packet.group() if packet else b"")[:20]:
        text = " ".join(re.sub(r"<[^<>]*>", " ", stated.decode("utf-8", "replace")).split())
        if spdx := spdx_from_text(text):
            found.append(Evidence("meta", spdx, text, "XMP metadata"))
    return resolve(found)
