"""The elements below the root of a large XML file, one by one, in bounded memory.

No document type, so no entities and nothing external; what is broken costs its own element, because
reading goes on at the next one. Source: expat, as defusedxml guards it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from etl.ingest.streams import DamagedStream

_DEPTH = 64
_INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_OPEN_SLACK = 1 << 20  # bytes of markup that a record may have beyond its text
_ELEMENTS = 200_000  # inside one record
_MARK = 64  # bytes kept of what is skipped, because a start tag may lie across two chunks
_TAIL = 1 << 16  # bytes kept of what was parsed, to go back to the start tag that was refused


class ForbiddenXml(Exception):
    """The file declares a document type or entities: nothing of it is believed."""


class _Refused(Exception):
    """An element that costs more than it may, or begins where it must not."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


@dataclass(frozen=True, slots=True)
class Value:
    """An element inside a record: its path below the record, its attributes and its text."""

    path: str
    attributes: dict[str, str]
    text: str


@dataclass(slots=True)
class Element:
    """A record: a child of the root. `offset` and `length` are bytes of the decompressed file.

    With an `error_class` (`broken_xml`, `too_large`, `too_deep`, or that of the damage) there are
    no values.
    """

    name: str
    offset: int
    length: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    error_class: str = ""
    message: str = ""

    def text(self, path: str) -> str:
        """The text of the last element at `path`, or an empty string."""
        return next((value.text for value in reversed(self.values) if value.path == path), "")

    def has(self, path: str) -> bool:
        return any(value.path == path for value in self.values)


class XmlRecords:
    """Takes the chunks of a file by `feed`, gives the records that became complete.

    A parser of its own rather than a pull parser, so that archives which push their bytes and
    streams that are pulled are read alike. `names` are the record elements; `renewed` is a path
    whose second start forgets what came before (of a page's revisions only the last counts).
    """

    def __init__(self, names: Iterable[str], max_bytes: int, renewed: str = "") -> None:
        self._names = tuple(names)
        self._max_bytes = max_bytes
        self._renewed = renewed
        self._position = 0  # of the next byte to be fed
        self._parser: Any = None
        self._base = 0  # the file's offset of the parser's first byte
        self._path: list[str] = []
        self._done: list[Element] = []
        self._record: Element | None = None
        self._texts: list[list[str]] = []
        self._attributes: list[dict[str, str]] = []
        self._held = self._last_event = 0
        self._lost = b""  # with no parser: the end of what was skipped
        self._root = ""
        self._elements = self._first = self._before = 0
        self._worded = False
        self._start(0, b"")

    def feed(self, chunk: bytes) -> list[Element]:
        """The records that end in this chunk. Raises `ForbiddenXml`."""
        self._done = []
        data, start = self._lost + chunk, self._position - len(self._lost)
        self._position += len(chunk)
        while data:
            if self._parser is None:
                data, start = self._resumed(data, start)
                continue
            data, start = self._parse(data, start)
        return self._done

    def close(self) -> list[Element]:
        """What the end of the file left open, as a broken record."""
        self._done = []
        if self._parser is not None and (self._record is not None or not self._root):
            self._broken("truncated_xml", "the file ends inside the element", self._position)
        elif self._parser is not None and self._path:
            self._fail(self._position, "truncated_xml", "the file ends before its root does")
        self._parser = None
        return self._done

    def _start(self, base: int, prime: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_text
        parser.StartDoctypeDeclHandler = self._on_doctype
        parser.EntityDeclHandler = self._on_doctype
        self._parser, self._path, self._record = parser, [], None
        self._texts, self._attributes, self._held = [], [], 0
        self._lost = self._tail = b""
        self._base = base - len(prime)
        self._last_event = self._began = base
        if prime:
            parser.Parse(prime, False)

    def _parse(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Feeds the parser; what is to be read again, and where in the file that begins."""
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            place = self._base + max(self._parser.ErrorByteIndex, 0)
            # The place of a bad character, or of the start of the tag or the entity that is wrong.
            place += error.code != _INVALID_TOKEN
            return self._left("broken_xml", str(error), place, data, start)
        except _Refused as refused:
            # The parser went on to the end of the data: only the event knows its place.
            return self._left(refused.error_class, str(refused), self._last_event, data, start)
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        if self._position - self._last_event > self._max_bytes + _OPEN_SLACK:
            self._broken("too_large", "markup that does not end", self._position)
        return b"", self._position

    def _left(
        self, error_class: str, message: str, place: int, data: bytes, start: int
    ) -> tuple[bytes, int]:
        # Never back to where this parser began: it would break there again.
        place = max(place, self._began + 1, start - len(self._tail))
        self._broken(error_class, message, place)
        if place < start:
            return self._tail[place - start :] + data, place
        return data[place - start :], min(place, self._position)

    def _resumed(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Moves to the next start tag of a record and takes up there."""
        found = min((place for name in self._names if (place := _tag(data, name)) >= 0), default=-1)
        if found < 0:
            self._lost = data[-_MARK:]
            return b"", start + len(data)
        self._start(start + found, f"<{self._root or 'root'}>".encode())
        return data[found:], start + found

    def _broken(self, error_class: str, message: str, place: int) -> None:
        record = self._record
        start = record.offset if record is not None else min(self._last_event, place)
        self._fail(start, error_class, message, place - start)
        self._parser = self._record = None

    def _fail(self, offset: int, error_class: str, message: str, length: int = 0) -> None:
        self._done.append(
            Element("", offset, max(length, 0), error_class=error_class, message=message)
        )

    def _at(self) -> int:
        return int(self._base + self._parser.CurrentByteIndex)

    def _on_doctype(self, *_: Any) -> None:
        raise ForbiddenXml("the file declares a document type or entities, which are not read")

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._last_event = self._at()
        self._path.append(name)
        depth = len(self._path)
        self._root = self._root or name
        if depth > _DEPTH:
            raise _Refused("too_deep", f"elements nested more than {_DEPTH} deep")
        if depth == 2:
            self._record = Element(name, self._last_event, attributes=attributes)
            self._texts, self._attributes, self._held = [], [], 0
            self._elements = self._first = 0
            self._worded = False
        if self._record is None:
            return
        if depth > 2 and name in self._names:
            raise _Refused("broken_xml", f"a {name} begins inside another")
        self._elements += 1
        if self._elements > _ELEMENTS:
            raise _Refused("too_large", f"more than {_ELEMENTS} elements in one record")
        self._texts.append([])
        self._attributes.append(attributes)
        self._hold(sum(map(len, attributes.values())) + len(name))
        if depth > 2 and self._inner() == self._renewed:
            self._renew(self._record)

    def _renew(self, record: Element) -> None:
        if self._first:
            self._held = self._before
            del record.values[self._first - 1 :]
        self._first, self._before = len(record.values) + 1, self._held

    def _on_text(self, text: str) -> None:
        self._last_event = self._at()
        if self._record is not None and not self._record.error_class:
            self._worded = True
            self._hold(len(text))
        if self._record is not None and not self._record.error_class:
            self._texts[-1].append(text)

    def _on_end(self, name: str) -> None:
        self._last_event = at = self._at()
        record = self._record
        if record is not None:
            text, attributes = "".join(self._texts.pop()), self._attributes.pop()
            if len(self._path) == 2:
                # An empty element's end has the place after it, another's that of its end tag.
                empty = self._elements == 1 and not self._worded
                tag = 0 if empty else len(name.encode()) + 3
                self._last_event = at + tag
                record.length = at + tag - record.offset
                self._done.append(record)
                self._record = None
            elif not record.error_class:
                record.values.append(Value(self._inner(), attributes, text))
        self._path.pop()

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > self._max_bytes and self._record is not None:
            self._held = 0  # what it held is let go
            self._record.error_class = "too_large"
            self._record.message = f"more than max_record_bytes={self._max_bytes} of text"
            self._record.values.clear()
            self._texts = [[] for _ in self._texts]

    def _inner(self) -> str:
        return "/".join(self._path[2:])


def _tag(data: bytes, name: str) -> int:
    """The place of the next start tag of that name, or -1."""
    tag = b"<" + name.encode()
    place = data.find(tag)
    while place >= 0 and data[place + len(tag) : place + len(tag) + 1] not in b" >\t\r\n/":
        place = data.find(tag, place + 1)
    return place


def read_elements(
    chunks: Iterator[bytes], names: Iterable[str], max_bytes: int, renewed: str = ""
) -> Iterator[Element]:
    """Every record of a stream; damage and broken markup are records with an `error_class`."""
    reader = XmlRecords(names, max_bytes, renewed)
    position = 0
    try:
        for chunk in chunks:
            position += len(chunk)
            yield from reader.feed(chunk)
        yield from reader.close()
    except ForbiddenXml as error:
        yield Element("", 0, 0, error_class="forbidden_xml", message=str(error))
    except DamagedStream as damage:
        yield Element("", position, 0, error_class=damage.error_class, message=str(damage))
