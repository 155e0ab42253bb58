"""The `.7z` of a StackExchange site, read member by member without unpacking it to disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from etl.ingest.config import IngestConfig
from etl.ingest.rows import Place, Row, failed, rejected
from etl.ingest.stackexchange import NO_POSTS, Dump
from etl.ingest.streams import CHUNK
from etl.ingest.xmlstream import Element, ForbiddenXml, XmlRecords
from etl.storage.files import S3File
from schemas.errors import FoundryError

_MEMBERS_MOST, _HEADER_MEMORY = 1_000, 1 << 30
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200
_POSTS, _USERS = "posts.xml", "users.xml"


def read_archive(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """Documents of the archive's `Posts.xml`; its other members but `Users.xml` are passed over."""
    import py7zr

    place = Place(config, path)
    try:
        with path.open("rb") as file:
            with _little_memory():  # a header of a few KB can claim any number of anything
                archive = py7zr.SevenZipFile(cast("Any", file), "r")
            members = archive.list()
            if problem := _problem(members, path.stat().st_size):
                yield failed(place, *problem)
                return
            names = [m.filename for m in members if _base(m.filename) in (_POSTS, _USERS)]
            if not any(_base(name) == _POSTS for name in names):
                yield rejected(place, NO_POSTS, 0, 1)
                return
            total = sum(m.uncompressed for m in members if m.filename in names)
            yield from _documents(archive, names, Dump(path, config, total), place)
    except FoundryError:
        raise  # the storage, or this machine's disk, not the archive
    except Exception as error:  # a hostile archive: whatever the parser stumbled over
        yield failed(place, _class_of(error), f"{type(error).__name__}: {error}")


def _documents(archive: Any, names: list[str], dump: Dump, place: Place) -> Iterator[Row]:
    with dump:
        sink = _Sink(dump, place.config)
        try:
            archive.extract(targets=names, factory=sink.factory())
        except FoundryError:
            raise
        except Exception as error:  # what came before the damage is documents all the same
            message = f"{type(error).__name__}: {error}"
            sink.aside(failed(place, _class_of(error), message))
        sink.close()
        yield from sink.rows()
        yield from dump.documents()


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


@contextmanager
def _little_memory() -> Iterator[None]:
    """Lets this process grow by `_HEADER_MEMORY` bytes at most, and raises `MemoryError` then."""
    import resource

    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + _HEADER_MEMORY
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


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
