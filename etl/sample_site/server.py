"""The sample site over HTTP: several loopback addresses on one port, and a log of every request."""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from etl.sample_site.generate import build_site
from etl.sample_site.model import HOSTS, Page, Site

_MIN_GZIP = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it. `time` is monotonic, in seconds."""

    time: float
    host: str
    path: str
    status: int
    user_agent: str
    conditional: bool
    bytes: int


class SampleServer:
    """A running sample site. Set `day` to move it on; URLs keep their port."""

    def __init__(self, site: Site, log: Path | None = None) -> None:
        self._site = site
        self._pages = _by_place(site)
        self._lock = threading.Lock()
        self._log = log
        self.stopping = threading.Event()
        self.requests: list[Request] = []

    @property
    def site(self) -> Site:
        return self._site

    @property
    def port(self) -> int:
        return self._site.port

    @property
    def seeds(self) -> list[str]:
        return self._site.seeds

    @property
    def day(self) -> int:
        return self._site.day

    @day.setter
    def day(self, day: int) -> None:
        site = build_site(self._site.seed, day, self._site.size, self._site.port)
        self._pages = _by_place(site)
        self._site = site

    def page(self, host: str, target: str) -> Page | None:
        """The page behind a request target; tracking parameters make no difference."""
        parts = urlsplit(target)
        query = [(k, v) for k, v in parse_qsl(parts.query) if not k.startswith("utm_")]
        path = parts.path + (f"?{urlencode(query)}" if query else "")
        return self._pages.get((host, path))

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(asdict(request)) + "\n")


def _by_place(site: Site) -> dict[tuple[str, str], Page]:
    return {(page.truth.host, page.truth.path): page for page in site.pages}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    server_version = "SampleSite/1"
    sys_version = ""
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Requests go to the server's own log."""

    def do_GET(self) -> None:
        sample, host = self.server.sample, self.server.address
        arrived = time.monotonic()
        if self.path == "/robots.txt":
            robots = sample.site.robots.get(host)
            self._answer(arrived, 200 if robots else 404, {"Content-Type": "text/plain"},
                         (robots or "").encode())  # fmt: skip
            return
        page = sample.page(host, self.path)
        if page is None:
            self._answer(arrived, 404, {"Content-Type": "text/html"}, b"<p>Not found</p>")
            return
        if page.delay:
            sample.stopping.wait(page.delay if page.delay > 0 else None)
            if page.delay < 0:
                self._log(arrived, 0, 0)
                self.close_connection = True
                return
        if page.status == 200 and self._is_fresh(page):
            self._answer(arrived, 304, dict(page.headers), b"")
        else:
            self._answer(arrived, page.status, dict(page.headers), page.body)

    def _is_fresh(self, page: Page) -> bool:
        """RFC 9110, 13.2.2: If-None-Match decides when it is there."""
        etag, modified = page.headers.get("ETag"), page.headers.get("Last-Modified")
        asked = self.headers.get("If-None-Match")
        if asked is not None:
            return etag is not None and etag in [tag.strip() for tag in asked.split(",")]
        return modified is not None and self.headers.get("If-Modified-Since") == modified

    def _answer(self, arrived: float, status: int, headers: dict[str, str], body: bytes) -> None:
        # Two of the hosts compress: a crawler has to cope with either.
        accepts = "gzip" in (self.headers.get("Accept-Encoding") or "")
        if accepts and len(body) > _MIN_GZIP and self.server.address in HOSTS[1::2]:
            body = gzip.compress(body, 5, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self._log(arrived, status, len(body))
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 304:
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _log(self, arrived: float, status: int, size: int) -> None:
        conditional = "If-None-Match" in self.headers or "If-Modified-Since" in self.headers
        agent = self.headers.get("User-Agent") or ""
        self.server.sample.record(
            Request(arrived, self.server.address, self.path, status, agent, conditional, size)
        )


class LoopbackServer(ThreadingHTTPServer):
    """A threading server for a crawler's bursts: a long accept queue, and no noise at hang-ups."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # the default of 5 drops connections, which then look like timeouts

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of ours; anything else is reported as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Listener(LoopbackServer):
    def __init__(self, address: str, port: int, sample: SampleServer | None = None) -> None:
        self.address = address
        if sample is not None:
            self.sample = sample
        super().__init__((address, port), _Handler)


def _listen(port: int) -> list[_Listener]:
    """A listener for each host on one port; with port 0, on one that is free on all of them."""
    for _ in range(20):
        first = _Listener(HOSTS[0], port)
        chosen = first.server_address[1]
        listeners = [first]
        try:
            listeners += [_Listener(host, chosen) for host in HOSTS[1:]]
        except OSError:
            for listener in listeners:
                listener.server_close()
            if port:
                raise
            continue
        return listeners
    raise OSError("no port is free on all loopback addresses")


@contextmanager
def serve(site: Site, port: int = 0, log: Path | None = None) -> Iterator[SampleServer]:
    """Serves the site on 127.0.0.1 to 127.0.0.4 while the context lasts.

    With `port` 0 a free port is taken. The site is built anew when its links name another port.
    `log` gets one JSON line a request. Raises `OSError` when the port is taken.
    """
    listeners = _listen(port)
    chosen = listeners[0].server_address[1]
    if site.port != chosen:
        site = build_site(site.seed, site.day, site.size, chosen)
    server = SampleServer(site, log)
    for listener in listeners:
        listener.sample = server
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.stopping.set()
        for listener in listeners:
            listener.shutdown()
            listener.server_close()
