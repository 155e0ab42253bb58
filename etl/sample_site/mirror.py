"""Saved pages under their own URLs, on loopback: for `CrawlConfig.host_map`.

Each has an ETag, and a conditional request for the same bytes is answered 304 (RFC 9110, 13.1.2).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from etl.sample_site.server import LoopbackServer
from schemas.identity import sha256_hex


@dataclass(frozen=True, slots=True)
class Mirror:
    """A running mirror: `address` is `127.0.0.1:PORT`; `seeds` are the URLs that it answers."""

    address: str
    seeds: tuple[str, ...]

    @property
    def host_map(self) -> dict[str, str]:
        """Sends every host to this mirror."""
        return {"*": self.address}


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc.lower(), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextmanager
def serve_mirror(
    pages: Mapping[str, bytes], content_type: str = "text/html", port: int = 0
) -> Iterator[Mirror]:
    """Answers requests by Host header and target from `pages` (URL -> body); else 404.

    URLs are matched in their canonical spelling, which is the one that the crawler asks for.
    """
    from etl.crawl.config import CrawlConfig
    from etl.crawl.urls import canonical_url

    drop = CrawlConfig().drop_parameters
    canonical = {canonical_url(url, drop): body for url, body in pages.items()}
    bodies = {_place(url): body for url, body in canonical.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two writes

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def do_GET(self) -> None:
            body = bodies.get(((self.headers.get("Host") or "").lower(), self.path))
            etag = None if body is None else f'"{sha256_hex(body)[:32]}"'
            if etag and self.headers.get("If-None-Match") == etag:
                self.send_response(304)
                self.send_header("ETag", etag)
                self.end_headers()
                return
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", content_type)
            if etag:
                self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    server = LoopbackServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield Mirror(f"127.0.0.1:{server.server_address[1]}", tuple(canonical))
    finally:
        server.shutdown()
        server.server_close()
