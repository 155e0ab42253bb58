"""One file as its rows, as the workers read it."""

from __future__ import annotations

from pathlib import Path

from etl.ingest.config import IngestConfig
from etl.ingest.records import read_file
from etl.ingest.rows import Row


def rows_of(path: Path, config: IngestConfig) -> list[Row]:
    """Every row of a file whose reader gives rows (any but JSON lines)."""
    return [row for part in read_file(str(path), config) for row in part.rows]
