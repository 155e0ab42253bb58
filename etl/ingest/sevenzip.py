"""The `.7z` of a StackExchange site, read member by member without unpacking it to disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, rejected
from etl.ingest.stackexchange import NO_POSTS, Dump
from etl.ingest.streams import CHUNK
from etl.ingest.xmlstream import Element, ForbiddenXml, XmlRecords
from etl.storage.files import S3File

_MEMBERS_MOST = 1_000
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200
_POSTS, _USERS = "posts.xml", "users.xml"


def read_archive(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """Documents of the archive's `Posts.xml`; its other members but `Users.xml` are passed over."""
    import lzma

    import py7zr
    from py7zr.exceptions import ArchiveError

    place = Place(config, path)
    size = path.stat().st_size
    try:
        with path.open("rb") as file, py7zr.SevenZipFile(cast("Any", file), "r") as archive:
            members = archive.list()
            if problem := _problem(members, size):
                yield failed(place, *problem)
                return
            names = [m.filename for m in members if _base(m.filename) in (_POSTS, _USERS)]
            if not any(_base(name) == _POSTS for name in names):
                yield rejected(place, NO_POSTS, 0, 1)
                return
            total = sum(m.uncompressed for m in members if m.filename in names)
            with Dump(path, config, total) as dump:
                sink = _Sink(dump, config)
                try:
                    archive.extract(targets=names, factory=sink.factory())
                except (ArchiveError, ForbiddenXml, lzma.LZMAError, EOFError, OSError, ValueError,
                        MemoryError) as error:  # fmt: skip
                    # What came before the damage is documents all the same.
                    sink.aside(failed(place, _class_of(error), f"{error}"))
                sink.close()
                yield from sink.rows()
                yield from dump.documents()
    except Exception as error:  # a hostile header: whatever the parser stumbled over
        yield failed(place, _class_of(error), f"{type(error).__name__}: {error}")


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].lower()


def _problem(members: list[Any], size: int) -> tuple[str, str] | None:
    if len(members) > _MEMBERS_MOST:
        return "too_many_members", f"{len(members)} members, more than {_MEMBERS_MOST}"
    total = sum(member.uncompressed for member in members)
    if total > _BOMB_BYTES and total > _BOMB_RATIO * size:
        return "decompression_bomb", f"{size} bytes inflate to {total}: refused"
    return None


def _class_of(error: Exception) -> str:
    if isinstance(error, ForbiddenXml):
        return "forbidden_xml"
    return "encrypted" if type(error).__name__ == "PasswordRequired" else "corrupt_7z"


class _Sink:
    """Takes the members' bytes as the archive pushes them."""

    def __init__(self, dump: Dump, config: IngestConfig) -> None:
        self._dump, self._limit = dump, config.max_record_bytes
        self._aside = (dump.folder / "aside.jsonl").open("w+", encoding="utf-8")
        self._open: list[tuple[XmlRecords, Callable[[Element], Iterator[Row]]]] = []

    def aside(self, row: Row) -> None:
        self._aside.write(json.dumps(row) + "\n")

    def rows(self) -> Iterator[Row]:
        self._aside.seek(0)
        for line in self._aside:
            yield json.loads(line)
        self._aside.close()

    def close(self) -> None:
        """Takes what the end of each member left open."""
        for records, take in self._open:
            self._take(take, records.close())
        self._open.clear()

    def factory(self) -> Any:
        from py7zr.io import Py7zIO, WriterFactory

        sink = self

        class Member(Py7zIO):
            def __init__(self, name: str) -> None:
                self._size = 0
                users = _base(name) == _USERS
                self._take = sink._dump.take_user if users else sink._dump.take_post
                self._records = XmlRecords(("row",), sink._limit)
                sink._open.append((self._records, self._take))

            def write(self, s: bytes | bytearray) -> int:
                for start in range(0, len(s), CHUNK):
                    sink._take(self._take, self._records.feed(bytes(s[start : start + CHUNK])))
                self._size += len(s)
                return len(s)

            def read(self, size: int | None = None) -> bytes:  # noqa: ARG002
                return b""

            def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002
                return 0

            def flush(self) -> None:
                return None

            def size(self) -> int:
                return self._size

        class Factory(WriterFactory):
            def create(self, filename: str) -> Py7zIO:
                return Member(filename)

        return Factory()

    def _take(self, take: Callable[[Element], Iterator[Row]], elements: list[Element]) -> None:
        for element in elements:
            for row in take(element):
                self.aside(row)
