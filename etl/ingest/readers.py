"""The readers of dumps, repositories, papers and books; each is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.ingest.config import IngestConfig
from etl.ingest.formats import Format
from etl.storage.files import S3File

if TYPE_CHECKING:
    from etl.ingest.rows import Row

_Reader = Callable[[Path | S3File, IngestConfig], Iterator[dict[str, Any]]]


def _mediawiki(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.mediawiki import read_pages

    return read_pages(path, config)


def _stackexchange(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.stackexchange import read_dump

    return read_dump(path, config)


def _sevenzip(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.sevenzip import read_archive

    return read_archive(path, config)


def _repository(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.repository import read_repository

    return read_repository(path, config)


def _text(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.books import read_text

    return read_text(path, config)


def _epub(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.books import read_epub

    return read_epub(path, config)


def _latex(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.papers import read_latex

    return read_latex(path, config)


def _tar(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.papers import read_tar

    return read_tar(path, config)


def _pdf(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    from etl.ingest.pdf import read_pdf

    return read_pdf(path, config)


DOCUMENT_READERS: dict[Format, _Reader] = {
    Format.MEDIAWIKI: _mediawiki,
    Format.STACKEXCHANGE: _stackexchange,
    Format.SEVENZIP: _sevenzip,
    Format.REPOSITORY: _repository,
    Format.BUNDLE: _repository,
    Format.TEXT: _text,
    Format.EPUB: _epub,
    Format.LATEX: _latex,
    Format.TAR: _tar,
    Format.PDF: _pdf,
}
