"""A file that is one document: read whole, or refused."""

from __future__ import annotations

from pathlib import Path

from etl.ingest.streams import DamagedStream, open_chunks
from etl.storage.files import S3File


class DocumentError(Exception):
    """Why a document cannot be read: a stable `error_class` and a message."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


def read_whole(path: Path | S3File, max_bytes: int) -> bytes:
    """The decompressed bytes. Raises `DocumentError` of class `too_large` or of the damage."""
    data = bytearray()
    try:
        for chunk in open_chunks(path):
            data += chunk
            if len(data) > max_bytes:
                raise DocumentError("too_large", f"more than {max_bytes} bytes")
    except DamagedStream as damage:
        raise DocumentError(damage.error_class, str(damage)) from None
    return bytes(data)


def decoded(data: bytes) -> str:
    """The text of bytes in any charset. Raises `DocumentError` of `binary` or `undecodable`."""
    from etl.extract.charset import BOMS, decode

    if b"\0" in data[:65_536] and not data.startswith(tuple(bom for bom, _ in BOMS)):
        raise DocumentError("binary", "there are NUL bytes: no text")
    found = decode(data)
    if found.damage > 0.3:
        raise DocumentError("undecodable", f"in no charset, {found.charset} the best")
    return found.text.replace("\r\n", "\n").replace("\x00", "")
