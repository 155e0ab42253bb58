"""A real S3 server on loopback (moto's, over HTTP), and a proxy that breaks what passes through."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

from etl.storage.config import S3Config
from etl.storage.location import Location
from etl.storage.objects import list_objects

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of moto's server, with credentials for it in the environment."""
    from moto.server import ThreadedMotoServer

    # Spark's JVM and workers take them from the environment that they are started in.
    os.environ.update(CREDENTIALS)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def settings(url: str, **changed: Any) -> S3Config:
    values: dict[str, Any] = {"region": "us-east-1", "path_style": True, "part_bytes": 5 << 20}
    return S3Config(endpoint_url=url, **values | {"max_concurrency": 4} | changed)


@dataclass(frozen=True)
class S3Profile:
    """A profile `file` with its `home`; `root` is the bucket as `s3://bucket`."""

    file: Path
    home: Path
    root: str
    s3: S3Config

    def write(self, **more: Any) -> None:
        content = {"name": "s3", "home": str(self.home), "s3": asdict(self.s3), **more}
        self.file.write_text(json.dumps(content))  # JSON is YAML

    def keys(self, prefix: str = "") -> list[str]:
        place = Location.parse(f"{self.root}/{prefix}")
        return [found.place.key for found in list_objects(place, self.s3)]


@dataclass
class Fault:
    """Breaks the first `times` requests of this method whose target holds `path`: after `at` bytes
    of the request's body, or of the answer's, the connection is cut or one byte is flipped."""

    method: str
    path: str
    at: int
    flip: bool = False
    in_answer: bool = False
    times: int = 1

    def apply(self, data: bytes, start: int) -> tuple[bytes, bool]:
        """The bytes to pass on, and whether the connection ends with them."""
        place = self.at - start
        if not 0 <= place < len(data):
            return data, False
        if self.flip:
            return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], False
        return data[:place], True


@dataclass
class Request:
    method: str
    target: str
    body: int = 0


@dataclass
class Proxy:
    """`requests`: what went through, in order; `faults`: what is to break."""

    url: str
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, target: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == method and fault.path in target:
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str, path: str = "") -> int:
        return sum(r.method == method and path in r.target for r in self.requests)


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            self._one_request()

    def _one_request(self) -> None:
        first = self.rfile.readline()
        if not first:
            return
        method, target, _ = first.decode("latin-1").split(" ", 2)
        head, length, waits = [first], 0, False
        while (line := self.rfile.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            match name.lower():
                case "content-length":
                    length = int(value)
                case "expect":
                    waits = True
                    continue
                case "connection":
                    continue
            head.append(line)
        if waits:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        proxy = self.server.proxy
        request = Request(method, target)
        with proxy.lock:
            proxy.requests.append(request)
        fault = proxy.take(method, target)
        with socket.create_connection(self.server.upstream) as upstream:
            upstream.sendall(b"".join([*head, b"Connection: close\r\n\r\n"]))
            while request.body < length:
                data = self.rfile.read1(min(1 << 16, length - request.body))
                if not data:
                    return
                passed, over = data, False
                if fault and not fault.in_answer:
                    passed, over = fault.apply(data, request.body)
                request.body += len(data)
                upstream.sendall(passed)
                if over:
                    return
            self._answer(upstream, fault if fault and fault.in_answer else None)

    def _answer(self, upstream: socket.socket, fault: Fault | None) -> None:
        with upstream.makefile("rb") as answer:
            while (line := answer.readline()).strip():
                self.wfile.write(line)
            self.wfile.write(b"\r\n")
            sent = 0
            while data := answer.read1(1 << 16):
                passed, over = fault.apply(data, sent) if fault else (data, False)
                self.wfile.write(passed)
                sent += len(data)
                if over:
                    return


class _Server(ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    proxy: Proxy
    upstream: tuple[str, int]


@contextmanager
def faulty_proxy(url: str) -> Iterator[Proxy]:
    """A proxy in front of the server at `url` that does what its `faults` say."""
    parts = urlsplit(url)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.upstream = (str(parts.hostname), int(parts.port or 80))
        server.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()
