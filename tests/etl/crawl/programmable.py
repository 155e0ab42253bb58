"""A real HTTP server on loopback that answers what a test tells it to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer. `raw` is sent as it is instead; `stall` seconds pass before it is sent."""

    body: str | bytes = b""
    content_type: str = "text/html"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stall: float = 0.0
    raw: bytes | Callable[[socket.socket], None] | None = None

    def to_bytes(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        head = {"Content-Type": self.content_type, "Content-Length": str(len(body))} | self.headers
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{k}: {v}" for k, v in head.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


NOT_FOUND = Answer("nothing", status=404)


@dataclass
class ProgrammableServer:
    """`answers`: path -> an answer, or a list whose last one stays. `requests`: paths as asked."""

    port: int
    answers: dict[str, Any] = field(default_factory=dict)
    fallback: Callable[[str], Answer] = lambda _: NOT_FOUND
    log: list[tuple[str, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def requests(self) -> list[str]:
        return [path for path, _ in self.log]

    def times(self, path: str) -> list[float]:
        return [moment for asked, moment in self.log if asked == path]

    def all_times(self) -> list[float]:
        return [moment for _, moment in self.log]

    def wait_for(self, path: str) -> None:
        deadline = time.monotonic() + 30
        while path not in self.requests:
            assert time.monotonic() < deadline, f"{path} was never asked for"
            time.sleep(0.01)

    def answer(self, path: str) -> Answer:
        with self._lock:
            self.log.append((path, time.monotonic()))
            found = self.answers.get(path)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
            return found if found is not None else self.fallback(path)

    def serve(self, connection: socket.socket) -> None:
        with connection:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    try:
                        data = connection.recv(65536)
                    except OSError:
                        return
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                answer = self.answer(head.split(b" ")[1].decode("latin-1"))
                time.sleep(answer.stall)
                try:
                    if callable(answer.raw):
                        answer.raw(connection)
                        return
                    connection.sendall(answer.raw or answer.to_bytes())
                except OSError:
                    return
                if answer.raw is not None:
                    return


@contextmanager
def programmable() -> Iterator[ProgrammableServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        server = ProgrammableServer(listener.getsockname()[1])
        stopped = False

        def accept() -> None:
            while not stopped:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=server.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            stopped = True
            listener.shutdown(socket.SHUT_RDWR)
