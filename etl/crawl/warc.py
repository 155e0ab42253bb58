"""WARC/1.1 (ISO 28500:2017) writing: one gzip member a record, appended and cut at record ends.

Payloads are stored as received after transfer and content decoding; headers that no longer
describe the stored bytes are kept under `X-Crawl-` names, as Common Crawl does.
"""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Headers = Sequence[tuple[str, str]]
_STALE = {"content-encoding", "transfer-encoding", "content-length"}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:token-foundry:warc")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as they go into the archive. Header values are Latin-1 text."""

    url: str
    date: str  # ISO 8601, UTC
    request_line: str
    request_headers: Headers
    status_line: str
    response_headers: Headers
    body: bytes  # identity-decoded
    ip_address: str | None = None
    metadata: Headers = ()
    revisit: bool = False  # the body is the one archived before: only its headers are written


@dataclass(frozen=True, slots=True)
class Place:
    """Where a response record lies: file name, start and compressed length; `end` of the group."""

    file: str
    offset: int
    length: int
    end: int


def record_id(*parts: str) -> str:
    """A record id that depends on its parts only, so that a repeated crawl names it alike."""
    return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, chr(10).join(parts))}>"


def digest(data: bytes) -> str:
    """SHA-1 in Base32, the label of archived bytes that WARC tools compare. No security rests
    on it: identity is `content_sha256`."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def consistent_headers(headers: Headers, body: bytes) -> list[tuple[str, str]]:
    """Headers that describe `body` as it is stored; the wire's own are kept as `X-Crawl-...`."""
    kept = [(f"X-Crawl-{n}" if n.lower() in _STALE else n, v) for n, v in headers]
    return [*kept, ("Content-Length", str(len(body)))]


def _clean(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def header_block(first_line: str, headers: Headers) -> bytes:
    """A header block; line breaks inside values cannot forge further headers."""
    lines = [_clean(first_line), *(f"{_clean(name)}: {_clean(value)}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def record(headers: Headers, block: bytes) -> bytes:
    """One record as one gzip member (WARC/1.1, annex D)."""
    fields = [*headers, ("WARC-Block-Digest", digest(block)), ("Content-Length", str(len(block)))]
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    data = packer.compress(header_block("WARC/1.1", fields) + block + b"\r\n\r\n")
    return data + packer.flush()


class WarcWriter:
    """Appends exchanges to `<folder>/<name>-NNNNN.warc.gz` and says where each one lies.

    `resume` is the file and the end of the last exchange that counts: what lies behind it is cut
    off, later files are removed. Each exchange reaches the kernel before `write` returns.
    """

    def __init__(
        self, folder: Path, name: str, info: Headers, max_bytes: int, resume: Place | None = None
    ) -> None:
        self._folder, self._name, self._info, self._max = folder, name, info, max_bytes
        self._number = 0
        if resume is not None:
            self._number = int(resume.file.removesuffix(".warc.gz").rsplit("-", 1)[1])
        for path in folder.glob(f"{name}-[0-9]*.warc.gz"):
            if resume is None or path.name > resume.file:
                path.unlink()
        self._open(resume.end if resume else 0)

    @property
    def file(self) -> str:
        return f"{self._name}-{self._number:05d}.warc.gz"

    def write(self, exchange: Exchange) -> Place:
        """Appends response (or revisit), request and metadata; returns the place of the first."""
        if self._end >= self._max:
            self.close()
            self._number += 1
            self._open(0)
        response, others = self._records(exchange)
        start = self._end
        self._append(response + others)
        return Place(self.file, start, len(response), self._end)

    def close(self) -> None:
        os.fsync(self._handle.fileno())
        self._handle.close()

    def _open(self, end: int) -> None:
        path = self._folder / self.file
        self._handle = path.open("ab", buffering=0)
        self._handle.truncate(end)
        self._end = end
        self._info_id = record_id("warcinfo", self.file)
        if end == 0:
            block = header_block("software: token-foundry", self._info)[:-2]
            head = (
                ("WARC-Type", "warcinfo"),
                ("WARC-Record-ID", self._info_id),
                ("WARC-Date", "1970-01-01T00:00:00Z"),  # the exchanges carry their own dates
                ("WARC-Filename", self.file),
                ("Content-Type", "application/warc-fields"),
            )
            self._append(record(head, block))

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._handle.write(view)
            view = view[written or 0 :]
        self._end += len(data)

    def _records(self, exchange: Exchange) -> tuple[bytes, bytes]:
        first = "revisit" if exchange.revisit else "response"
        ids = {
            kind: record_id(kind, self._name, exchange.url)
            for kind in (first, "request", "metadata")
        }
        address = [("WARC-IP-Address", exchange.ip_address)] if exchange.ip_address else []

        def head(kind: str, content_type: str) -> list[tuple[str, str]]:
            concurrent = [] if kind == first else [("WARC-Concurrent-To", ids[first])]
            return [
                ("WARC-Type", kind),
                ("WARC-Record-ID", ids[kind]),
                ("WARC-Date", exchange.date),
                ("WARC-Target-URI", exchange.url),
                ("WARC-Warcinfo-ID", self._info_id),
                *concurrent,
                *(address if kind != "metadata" else ()),
                ("Content-Type", content_type),
            ]

        body = exchange.body
        headers = consistent_headers(exchange.response_headers, body)
        answer = header_block(exchange.status_line, headers)
        opening = head(first, "application/http;msgtype=response")
        if exchange.revisit:
            profile = "identical-payload-digest" if body else "server-not-modified"
            opening += [
                ("WARC-Profile", f"http://netpreserve.org/warc/1.1/revisit/{profile}"),
                ("WARC-Refers-To-Target-URI", exchange.url),
            ]
        if body or not exchange.revisit:
            opening.append(("WARC-Payload-Digest", digest(body)))
        response = record(opening, answer if exchange.revisit else answer + body)
        request = record(
            head("request", "application/http;msgtype=request"),
            header_block(exchange.request_line, exchange.request_headers),
        )
        fields = "".join(f"{n}: {_clean(v)}\r\n" for n, v in exchange.metadata)
        metadata = record(
            head("metadata", "application/warc-fields"), fields.encode("utf-8", "replace")
        )
        return response, request if exchange.revisit else request + metadata
