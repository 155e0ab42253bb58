"""Records that a reader made of text, and those that a rule set aside, as rows with verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.ingest.config import IngestConfig
from etl.licence.evidence import Licence
from etl.storage.files import S3File
from etl.tables.outcome import KEPT, REJECTED
from schemas.identity import UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE, doc_id, sha256_hex, uri_id

Row = dict[str, Any]
CONTENT_TYPE = "text/plain"  # what a reader makes of its input
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies: `offset` and `length` in the decompressed file, `inner` in an archive.

    Without a `url` of its own, a record is known by this place.
    """

    config: IngestConfig
    path: Path | S3File
    offset: int = 0
    length: int = 0
    inner: str = ""

    def uri(self, url: str = "") -> str:
        if url:
            return sound(url)
        whole = sound(self.path.absolute().as_uri())
        return f"{whole}#{self.inner}" if self.inner else f"{whole}#{self.offset}"

    @property
    def pointer(self) -> str:
        file = f"{self.path}#{self.inner}" if self.inner else str(self.path)
        span = f"@{self.offset}+{self.length}" if self.length else f"@{self.offset}"
        return sound(file if self.inner and not self.length else file + span)


def sound(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot spell, replaced."""
    return text if text.isascii() else text.translate(_SURROGATES)


def kept(place: Place, text: str, *, url: str = "", licence: Licence | None = None, **extra: Any
         ) -> Row:  # fmt: skip
    """A text record. `extra` are its other fields; those that are None or empty are left out."""
    text = sound(text)
    fields = {"content_sha256": sha256_hex(text.encode()), **extra, **_licence_fields(licence)}
    return {**_common(place, url, text, fields), "text": text, "_verdict": KEPT}


def rejected(
    place: Place, rule: str, score: float, threshold: float, *, url: str = "", **extra: Any
) -> Row:
    """A record that `rule` dropped, because its `score` was on the wrong side of `threshold`."""
    # The tables of rejected documents ask for these of every row.
    stated = {"language": UNDETERMINED_LANGUAGE, "licence": UNKNOWN_LICENCE}
    fields = {"content_sha256": sha256_hex(place.pointer.encode()), **stated, **extra}
    scored = {"rule": rule, "score": float(score)}
    return {
        **_common(place, url, place.pointer, fields),
        "_verdict": REJECTED,
        "_reasons": [scored | {"threshold": float(threshold)}],
        "_scores": [scored],
    }


def failed(place: Place, error_class: str, message: str) -> Row:
    """The row of bytes that gave no record."""
    return {
        "id": doc_id(uri_id("pointer", place.pointer), sha256_hex(b"")),
        **_where(place),
        "_verdict": "quarantined",
        "_error_class": error_class,
        "_message": sound(message)[:500],
        "_pointer": place.pointer,
    }


def _where(place: Place) -> Row:
    return {
        "source_file": str(place.path),
        "source_offset": place.offset,
        "source_length": place.length,
    }


def _common(place: Place, url: str, content: str, fields: Row) -> Row:
    uri = place.uri(url)
    identity = doc_id(uri_id(place.config.source, uri), sha256_hex(content.encode()))
    filled = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    return {
        "id": identity,
        "url": uri,
        "content_type": CONTENT_TYPE,
        "source": place.config.source,
        **_where(place),
        "extra": sound(json.dumps(filled, ensure_ascii=False)),
    }


def _licence_fields(licence: Licence | None) -> Row:
    if licence is None or (licence.spdx == UNKNOWN_LICENCE and not licence.found):
        return {"licence": UNKNOWN_LICENCE}
    return {
        "licence": licence.spdx,
        "licence_evidence": licence.evidence,
        "licence_statements": [piece.as_row() for piece in licence.found],
    }
