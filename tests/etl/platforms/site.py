"""A media site on loopback, drawn from a seed: pages, MP4, WebM, HLS, subtitles, robots.txt, walls.

The server keeps a log of every request, so that a test can say what was never asked for.
"""

from __future__ import annotations

import json
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CC_BY = "https://creativecommons.org/licenses/by/4.0/"
CC_BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"


@dataclass(frozen=True)
class Logged:
    method: str
    path: str
    headers: dict[str, str]
    status: int
    started: float


@dataclass
class Resource:
    """What is served at a path. `pause` seconds lie between two pieces of `piece` bytes."""

    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    piece: int = 65536
    endless: bool = False
    ranges: bool = True


@dataclass
class Site:
    """The site's resources by path (query included), its address and its log."""

    port: int
    resources: dict[str, Resource] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def asked(self, path: str) -> list[Logged]:
        return [one for one in self.log if one.path == path]

    def add(self, path: str, body: bytes | str = b"", kind: str = "", **more: Any) -> Resource:
        data = body.encode() if isinstance(body, str) else body
        found = Resource(data, kind or "text/html; charset=utf-8", **more)
        self.resources[path] = found
        return found

    def video_page(self, path: str, media: str, title: str, licence: str = CC_BY, **more: Any):
        """A page with schema.org markup, a <video> element and subtitles."""
        tracks = more.pop("tracks", "")
        markup = {
            "@context": "https://schema.org", "@type": "VideoObject", "name": title,
            "description": f"About {title}", "contentUrl": self.url(media),
            "uploadDate": "2026-03-01", "duration": more.pop("duration", "PT12S"),
            **({"license": licence} if licence else {}),
        }  # fmt: skip
        return self.add(
            path,
            f"<!doctype html><html><head><title>{title}</title>"
            f'<script type="application/ld+json">{json.dumps(markup)}</script></head><body>'
            f'<video src="{media}">{tracks}</video></body></html>',
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        found = self.site.resources.get(self.path) or Resource(b"not here", "text/plain", 404)
        status, body, headers = found.status, found.body, dict(found.headers)
        wanted = self.headers.get("Range")
        etag = headers.get("ETag")
        same = self.headers.get("If-Range") in (None, etag)
        if wanted and found.ranges and status == 200 and same:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[start:]
        sent = dict(self.headers.items())
        self.site.log.append(Logged(self.command, self.path, sent, status, time.monotonic()))
        self.send_response(status)
        self.send_header("Content-Type", found.kind)
        if not found.endless:
            headers.setdefault("Content-Length", str(len(body)))
        headers.setdefault("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self._write(found, body)
        except OSError:
            self.close_connection = True

    do_POST = do_HEAD = do_GET

    def _write(self, found: Resource, body: bytes) -> None:
        while found.endless:
            self.wfile.write(body)
            time.sleep(found.pause)
        for start in range(0, len(body), found.piece):
            self.wfile.write(body[start : start + found.piece])
            self.wfile.flush()
            time.sleep(found.pause)

    def log_message(self, *arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def served() -> Iterator[Site]:
    site = Site(0)
    handler: Callable[..., Any] = type("Handler", (_Handler,), {"site": site})
    server = _Server(("127.0.0.1", 0), handler)
    site.port = server.server_address[1]
    site.add("/robots.txt", "User-agent: *\nDisallow: /closed/\n", "text/plain")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(draw: random.Random, size: int, width: int = 640, height: int = 360) -> bytes:
    """An MP4 file (ISO 14496-12) of one video track without samples; `size` bytes of mdat."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">IIIIIIH10x", 0, 0, 0, 1000, 12_000, 0x10000, 0x100)
    mvhd += matrix + bytes(24) + struct.pack(">I", 2)
    tkhd = struct.pack(">IIIIII8xHHHH", 3, 0, 0, 1, 0, 12_000, 0, 0, 0, 0)
    tkhd += matrix + struct.pack(">II", width << 16, height << 16)
    moov = _box(b"moov", _box(b"mvhd", mvhd), _box(b"trak", _box(b"tkhd", tkhd)))
    ftyp = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2mp41")
    return ftyp + moov + _box(b"mdat", draw.randbytes(size))


def _element(identifier: str, body: bytes) -> bytes:
    return bytes.fromhex(identifier) + struct.pack(">Q", len(body) | 1 << 56) + body


def webm(draw: random.Random, size: int, width: int = 640, height: int = 360) -> bytes:
    """A WebM file (RFC 9559) of one video track; its one cluster is `size` random bytes."""
    pixels = _element("b0", struct.pack(">H", width)) + _element("ba", struct.pack(">H", height))
    tracks = _element("1654ae6b", _element("ae", _element("d7", b"\1") + _element("e0", pixels)))
    cluster = _element("1f43b675", draw.randbytes(size))
    head = _element("1a45dfa3", _element("4282", b"webm"))
    return head + _element("18538067", tracks + cluster)


def transport_stream(draw: random.Random, packets: int) -> bytes:
    """MPEG-TS null packets with random payloads (ISO 13818-1)."""
    return b"".join(b"\x47\x1f\xff\x10" + draw.randbytes(184) for _ in range(packets))


def vtt(text: str) -> str:
    return f"WEBVTT\n\n00:00.000 --> 00:02.000\n{text}\n"
