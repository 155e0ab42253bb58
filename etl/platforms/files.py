"""Where an item's files lie: named by its full URL and the format, never by title or platform id.

The archive is the records themselves: `HASH.record.json` is written last, so an item with a record
whose files are all there needs no request.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,60}")
_CHUNK = 1 << 20


def safe_name(text: str) -> str:
    """`text` where it is a plain file name, else a hash of it: servers choose format ids."""
    if _SAFE.fullmatch(text):
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ItemFiles:
    """The files of one item below the media root. `uri_id` is the hash of source and full URL."""

    def __init__(self, root: Path, uri_id: str) -> None:
        self.root, self.uri_id = root, uri_id
        self.folder = root / uri_id[:2]

    def path(self, *parts: str) -> Path:
        """`HASH.PART[.PART...]`; the last part is the extension."""
        return self.folder / ".".join([self.uri_id, *map(safe_name, parts)])

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def partial_bytes(self) -> int:
        """What earlier runs left of unfinished downloads."""
        return sum(p.stat().st_size for p in self.folder.glob(f"{self.uri_id}.*.part"))

    def clear(self) -> None:
        """Removes every file of the item: a refused one leaves nothing behind."""
        for path in self.folder.glob(f"{self.uri_id}.*"):
            path.unlink()

    def record(self, key: str) -> dict[str, Any] | None:
        """The row of an item that was taken under `key`, if all of its files are still whole."""
        try:
            found = json.loads(self.path("record", "json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("key") != key:
            return None
        row: dict[str, Any] = found["row"]
        for file in (*row["files"], *row["subtitles"]):
            path = self.root / file["path"]
            if not path.is_file() or path.stat().st_size != file["bytes"]:
                return None
        return row

    def write_record(self, key: str, row: dict[str, Any]) -> None:
        write_whole(self.path("record", "json"), json.dumps({"key": key, "row": row}).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(path.name + ".tmp")
    with staging.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    staging.replace(path)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
