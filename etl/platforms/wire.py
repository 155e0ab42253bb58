"""One HTTP request over a socket whose address was checked: no proxy, no cookie, no redirect.

The check is on the very address that is connected to, so that a name cannot change between check
and use (DNS rebinding). `guard_process` refuses every other socket and every other program.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from etl.crawl.urls import is_public

_READ = 64 * 1024
_approved: set[tuple[str, int]] = set()


class AddressRefusedError(Exception):
    """A host that is, or resolves to, an address that is not public."""


class WireError(OSError):
    """The server could not be reached, or its answer broke off or is not HTTP."""


@dataclass(slots=True)
class Answer:
    """An answer whose body has not been read. `body` reads decoded bytes."""

    url: str
    status: int
    reason: str
    headers: Any
    body: Body

    def header(self, name: str) -> str:
        return str(self.headers.get(name) or "")


def send(
    url: str,
    headers: dict[str, str],
    *,
    timeout: float,
    allow_private: bool,
    method: str = "GET",
    data: bytes | None = None,
) -> Answer:
    """Sends one request and returns when the headers of its answer are there.

    Raises `AddressRefusedError` or `WireError`.
    """
    parts = urlsplit(url)
    kind = _TlsConnection if parts.scheme == "https" else _Connection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    connection.allow_private = allow_private
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body=data, headers=headers)
        response = connection.getresponse()
    except AddressRefusedError:
        connection.close()
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        raise WireError(f"{parts.netloc}: {error or type(error).__name__}") from error
    body = Body(response, connection)
    return Answer(url, response.status, response.reason, response.headers, body)


class Body:
    """Reads a response's body, decoded piece by piece: a bomb is never held whole."""

    def __init__(self, response: http.client.HTTPResponse, connection: Any) -> None:
        self._response, self._connection = response, connection
        self._decoder = _decoder(response.headers.get("Content-Encoding", ""))
        self.on_bytes: Callable[[int], None] | None = None
        self.closed = False

    def read(self, amount: int) -> bytes:
        """At most `amount` bytes; empty at the end. Raises `WireError`."""
        if self.closed:
            return b""
        try:
            data = self._piece(amount)
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
            self.close()
            raise WireError(str(error) or type(error).__name__) from error
        if self.on_bytes:
            self.on_bytes(len(data))
        if not data:
            self.close()
        return data

    def read_some(self, limit: int) -> bytes:
        """The body's first bytes, at most `limit`; the rest is not read."""
        pieces, room = [], limit
        while room and (piece := self.read(min(_READ, room))):
            pieces.append(piece)
            room -= len(piece)
        self.close()
        return b"".join(pieces)

    def _piece(self, amount: int) -> bytes:
        if self._decoder is None:
            return self._response.read(amount)
        while True:
            waiting = self._decoder.unconsumed_tail
            if not waiting and (self._decoder.eof or not (waiting := self._response.read(_READ))):
                return b""
            if data := self._decoder.decompress(waiting, amount):
                return bytes(data)

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self._response.close()
            self._connection.close()


def _decoder(encoding: str) -> Any:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)
    raise WireError(f"content encoding {name[:40]!r} was not asked for")


class _Connection(http.client.HTTPConnection):
    allow_private = False

    def connect(self) -> None:
        self.sock = _connect(self.host, self.port, self.timeout, self.allow_private)


class _TlsConnection(http.client.HTTPSConnection):
    allow_private = False

    def connect(self) -> None:
        plain = _connect(self.host, self.port, self.timeout, self.allow_private)
        context = ssl.create_default_context()
        try:
            self.sock = context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _connect(host: str, port: int, timeout: Any, allow_private: bool) -> socket.socket:
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in _addresses(host, port):
        if not allow_private and not is_public(str(address[0]).split("%", 1)[0]):
            raise AddressRefusedError(f"{host} is or leads to {address[0]}, which is not public")
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(timeout)
        _approved.add((str(address[0]), int(address[1])))
        try:
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _addresses(host: str, port: int) -> Iterable[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"not a host name: {error}") from None


_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork")


def guard_process() -> None:
    """From now on this process connects to approved addresses only, and starts no program.

    The second fence behind the gate: an extractor that opens a socket of its own (rtmp,
    websockets) or calls a program (a JavaScript engine, ffmpeg) fails. Cannot be undone.
    """

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            raise PermissionError(f"{event}: this process starts no programs")
        if event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
            if not isinstance(address, tuple) or (address[0], address[1]) not in _approved:
                raise PermissionError(f"{event} {address!r}: only through the gate")

    sys.addaudithook(watch)
