"""Output on object storage: written in place, each table committed by Delta itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from etl.storage.config import S3Config
from etl.storage.location import Location
from etl.storage.objects import (
    delete_objects,
    is_folder,
    list_objects,
    read_object,
    write_object,
)
from schemas.errors import InputError
from schemas.report import JobReport

MARKER = "_foundry.json"  # Spark, Delta and Arrow all pass over names that begin with `_`


@contextmanager
def written_in_place(out: str, report: JobReport, config: S3Config) -> Iterator[str]:
    """Lets the block write tables below `out` and then removes those of an earlier run that it did
    not write (they are not in `report.outputs`).

    A prefix that holds anything but foundry's output is refused (`InputError`). While the block
    runs, readers see each table as it was or as it is after its commit; the marker says `complete`
    only when all are.
    """
    place = Location.parse(out)
    marker = place.child(MARKER)
    if read_object(marker, config) is None and is_folder(place, config):
        raise InputError(f"{out}: holds objects that foundry did not write; name another prefix")
    _mark(marker, False, config)
    yield str(place).rstrip("/")
    root = out.rstrip("/")
    written = {path.removeprefix(root).strip("/") for path in report.outputs.values()}
    delete_objects(_stale(place, written, config), config)
    _mark(marker, True, config)


def _mark(marker: Location, complete: bool, config: S3Config) -> None:
    content = {"written_by": "foundry", "complete": complete}
    write_object(marker, f"{json.dumps(content)}\n".encode(), config)


def _stale(place: Location, written: set[str], config: S3Config) -> Iterator[Location]:
    """Objects of tables that are not in `written`: folders below `place`, or "" for itself."""
    tables = {
        top
        for found in list_objects(place, config)
        for top, _, rest in (found.name.partition("/"),)
        if rest.startswith("_delta_log/")
    }
    for found in list_objects(place, config):
        top, _, rest = found.name.partition("/")
        table = top if rest and top in tables else ""
        if table not in written and found.name != MARKER:
            yield found.place
