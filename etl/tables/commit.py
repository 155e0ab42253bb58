"""A new Delta table of Parquet files that are there already: its first commit.

Files that workers wrote themselves become a table without a second pass of their rows through the
JVM. Only for folders without a log: every later commit is Delta's own.
Source: github.com/delta-io/delta, PROTOCOL.md (actions protocol, metaData, add, commitInfo).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from schemas.errors import StepError

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of the table: its path below the table's folder, its rows and bytes."""

    path: str
    rows: int
    bytes: int


def create_table(folder: Path, schema: StructType, files: Iterable[DataFile]) -> None:
    """Writes version 0 of the table in `folder`. Raises `StepError` where there is a log."""
    log = folder / "_delta_log"
    now = int(time.time() * 1000)
    actions: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": now, "operation": "WRITE",
                        "operationParameters": {"mode": "ErrorIfExists", "partitionBy": "[]"},
                        "isBlindAppend": True, "engineInfo": "token-foundry"}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {"id": str(uuid.uuid4()), "format": {"provider": "parquet", "options": {}},
                      "schemaString": schema.json(), "partitionColumns": [], "configuration": {},
                      "createdTime": now}},
    ]  # fmt: skip
    actions += [
        {"add": {"path": quote(one.path), "partitionValues": {}, "size": one.bytes,
                 "modificationTime": now, "dataChange": True,
                 "stats": json.dumps({"numRecords": one.rows})}}
        for one in files
    ]  # fmt: skip
    try:
        log.mkdir(parents=True)
        with (log / f"{0:020}.json").open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(action, ensure_ascii=False) + "\n" for action in actions)
    except FileExistsError:
        raise StepError(f"{folder}: is a Delta table already; name a new folder") from None
