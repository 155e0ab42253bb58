"""Whether fetched bytes are the record that the index named: one whole gzip member, one record,
the payload of the stated digest. Sources: ISO 28500 (WARC/1.1) 5.8 and annex D; RFC 1952."""

from __future__ import annotations

import base64
import hashlib
import zlib

_HEADER_LIMIT = 1 << 16
_END = b"\r\n\r\n"


class RecordError(Exception):
    """Bytes that are not the record. `error_class` is stable, the message is for people."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


def check_record(data: bytes, url: str, digest: str | None, max_bytes: int) -> None:
    """Raises `RecordError` unless `data` is one gzip member of at most `max_bytes` that holds one
    record, whose payload has the digest (SHA-1 in Base32) that the index and the record state.

    Without a digest in the index, the record's URL must be `url`.
    """
    headers, block = _parsed(_inflated(data, max_bytes))
    payload = block
    if headers.get("content-type", "").lower().startswith("application/http"):
        payload = _payload(block)
    found = base64.b32encode(hashlib.sha1(payload, usedforsecurity=False).digest()).decode()
    stated = headers.get("warc-payload-digest", "")
    for name, value in (("the index", digest or ""), ("WARC-Payload-Digest", stated)):
        kind, _, wanted = value.rpartition(":")
        if wanted and kind.lower() in ("", "sha1") and wanted.upper() != found:
            raise RecordError("wrong_digest", f"sha1:{found}, but {name} says {value[:60]}")
    uri = headers.get("warc-target-uri", "").strip("<>")
    if not digest and uri != url:
        raise RecordError("other_record", f"the record is of {uri[:200]!r}")


def _inflated(data: bytes, max_bytes: int) -> bytes:
    inflate = zlib.decompressobj(31)
    try:
        record = inflate.decompress(data, max_bytes)
    except zlib.error as error:
        raise RecordError("corrupt_gzip", str(error)) from None
    if inflate.unconsumed_tail:
        raise RecordError("too_large", f"the record inflates to more than {max_bytes} bytes")
    if not inflate.eof:
        raise RecordError("truncated_gzip", "the gzip member is longer than the range")
    if inflate.unused_data:
        raise RecordError("several_members", "the gzip member is shorter than the range")
    return record


def _parsed(record: bytes) -> tuple[dict[str, str], bytes]:
    end = record.find(_END, 0, _HEADER_LIMIT)
    if not record.startswith(b"WARC/") or end < 0:
        raise RecordError("no_record", "the gzip member holds no WARC record")
    headers: dict[str, str] = {}
    for line in record[:end].decode("utf-8", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    length, start = headers.get("content-length", ""), end + len(_END)
    known = length.isascii() and length.isdigit() and len(length) < 19
    if not known or record[start + int(length) :] != _END:
        raise RecordError(
            "wrong_length", f"the record does not end where Content-Length {length[:20]!r} says"
        )
    return headers, record[start : len(record) - len(_END)]


def _payload(block: bytes) -> bytes:
    """What follows an HTTP header; some servers end its lines with a line feed only."""
    places = [(at, at + len(end)) for end in (_END, b"\n\n") if (at := block.find(end)) >= 0]
    return block[min(places)[1] :] if places else b""
