"""A file server with ranges on loopback: it remembers every request and can misbehave.

`python -m etl.commoncrawl.loopback FOLDER [FAULT]` serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_REQUEST = re.compile(rb"GET /(\S*) HTTP/1\.1\r\n")
_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d+)\r\n", re.IGNORECASE)
_PIECE = 1 << 16


class Fault(StrEnum):
    """What the server may do instead of answering well."""

    NONE = ""
    ERROR = "500"
    SLOW_DOWN = "503"  # S3's, with Retry-After: 0
    TOO_MANY = "429"  # with Retry-After: 1
    FORBIDDEN = "403"
    MISSING = "404"
    REDIRECT = "302"
    IGNORES_RANGE = "ignores_range"  # 200 and the whole file
    ENDLESS = "endless"  # 200 and bytes for ever
    TRUNCATED = "truncated"  # half of the body, then the connection closes
    SHORT = "short"  # a shorter range than asked for, said so
    WRONG_RANGE = "wrong_range"  # another range than asked for
    LONG = "long"  # more bytes than the range has
    DAMAGED = "damaged"  # the right length, one byte changed
    ENCODED = "encoded"  # Content-Encoding: gzip
    HANGS = "hangs"  # no answer at all
    DRIPS = "drips"  # a byte now and then
    SLOW = "slow"  # a good answer after 50 ms


@dataclass(frozen=True, slots=True)
class Hit:
    """One request: the path, the first byte and how many were asked for, how often so far."""

    path: str
    offset: int
    length: int
    nth: int


@dataclass(slots=True)
class RangeServer:
    """A running server. `fault` decides, for each request, how it is answered."""

    folder: Path
    port: int = 0
    fault: Callable[[Hit], Fault] = lambda hit: Fault.NONE  # noqa: ARG005
    hits: list[Hit] = field(default_factory=list)
    sent: int = 0  # bytes of bodies handed to the socket
    seen: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    files: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def open(self, path: str) -> int | None:
        """A descriptor of the file, kept open; None when there is no such file."""
        if path not in self.files:
            file = (self.folder / path).resolve()
            if not file.is_file() or self.folder.resolve() not in file.parents:
                return None
            self.files[path] = os.open(file, os.O_RDONLY)
        return self.files[path]


class _Connection(asyncio.Protocol):
    def __init__(self, server: RangeServer) -> None:
        self._server = server
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
            self._request(head)

    def _request(self, head: bytes) -> None:
        server = self._server
        wanted, found = _REQUEST.match(head), _RANGE.search(head)
        path = unquote(wanted[1].decode()) if wanted else ""
        descriptor = server.open(path)
        size = os.fstat(descriptor).st_size if descriptor is not None else 0
        first, last = (int(found[1]), int(found[2])) if found else (0, size - 1)
        key = (path, first, last - first + 1)
        server.seen[key] += 1
        hit = Hit(*key, server.seen[key])
        server.hits.append(hit)
        fault = server.fault(hit)
        if descriptor is None:
            fault = Fault.MISSING
        elif fault == Fault.NONE and first >= size:
            return self._send("416 Range Not Satisfiable", f"Content-Range: bytes */{size}\r\n")
        if fault == Fault.NONE and descriptor is not None:
            self._range(descriptor, first, min(last, size - 1), size)
        else:
            self._task = asyncio.ensure_future(
                self._misbehave(fault, descriptor, first, last, size)
            )
        return None

    def _range(self, descriptor: int, first: int, last: int, size: int) -> None:
        body = os.pread(descriptor, last - first + 1, first)
        etag = f'ETag: "{size}"\r\n'
        self._send(
            "206 Partial Content", f"Content-Range: bytes {first}-{last}/{size}\r\n{etag}", body
        )

    def _send(self, status: str, headers: str = "", body: bytes = b"", length: int = -1) -> None:
        stated = len(body) if length < 0 else length
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {stated}\r\n\r\n"
        self._server.sent += len(body)
        self._out.write(head.encode() + body)

    async def _misbehave(
        self, fault: Fault, descriptor: int | None, first: int, last: int, size: int
    ) -> None:
        simple = {
            Fault.ERROR: ("500 Internal Server Error", ""),
            Fault.SLOW_DOWN: ("503 Slow Down", "Retry-After: 0\r\n"),
            Fault.TOO_MANY: ("429 Too Many Requests", "Retry-After: 1\r\n"),
            Fault.FORBIDDEN: ("403 Forbidden", ""),
            Fault.MISSING: ("404 Not Found", ""),
            Fault.REDIRECT: ("302 Found", "Location: http://169.254.169.254/\r\n"),
        }
        if fault in simple:
            return self._send(*simple[fault])
        if descriptor is None or fault == Fault.HANGS:
            return None
        last = min(last, size - 1)
        body = os.pread(descriptor, max(0, last - first + 1), first)
        place = f"Content-Range: bytes {first}-{last}/{size}\r\n"
        partial = "206 Partial Content"
        match fault:
            case Fault.SLOW:
                await asyncio.sleep(0.05)
                self._range(descriptor, first, last, size)
            case Fault.IGNORES_RANGE | Fault.ENDLESS:
                await self._whole(descriptor, size, endless=fault == Fault.ENDLESS)
            case Fault.TRUNCATED:
                self._send(partial, place, body[: len(body) // 2], len(body))
                self._out.close()
            case Fault.SHORT:
                half = len(body) // 2
                range_ = f"Content-Range: bytes {first}-{first + half - 1}/{size}\r\n"
                self._send(partial, range_, body[:half])
            case Fault.WRONG_RANGE:
                range_ = f"Content-Range: bytes {first + 1}-{last + 1}/{size}\r\n"
                self._send(partial, range_, body)
            case Fault.LONG:
                self._out.write(
                    f"HTTP/1.1 {partial}\r\n{place}Connection: close\r\n\r\n".encode() + body + body
                )
                self._out.close()
            case Fault.DAMAGED:
                middle = len(body) // 2
                changed = bytes([body[middle] ^ 0xFF])
                self._send(partial, place, body[:middle] + changed + body[middle + 1 :])
            case Fault.ENCODED:
                self._send(partial, f"{place}Content-Encoding: gzip\r\n", body)
            case Fault.DRIPS:
                self._send(partial, place, b"", len(body))
                for at in range(len(body)):
                    self._out.write(body[at : at + 1])
                    await asyncio.sleep(0.05)
        return None

    async def _whole(self, descriptor: int, size: int, *, endless: bool) -> None:
        length = "" if endless else f"Content-Length: {size}\r\n"
        self._out.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        at = 0
        while endless or at < size:
            piece = os.pread(descriptor, _PIECE, at % size)
            await self._may_write.wait()
            self._out.write(piece)
            self._server.sent += len(piece)
            at += len(piece)
            await asyncio.sleep(0)


@contextmanager
def serve_ranges(folder: Path, port: int = 0) -> Iterator[RangeServer]:
    """Serves `folder` on 127.0.0.1, in a thread of its own, while the context lasts."""
    server = RangeServer(folder)
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        listening = await loop.create_server(
            lambda: _Connection(server), "127.0.0.1", port, backlog=256
        )
        server.port = listening.sockets[0].getsockname()[1]
        return listening

    listening = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        for descriptor in server.files.values():
            os.close(descriptor)
