"""Names of things that never change: URIs, document versions, configurations.

`uri_id` links the versions of one thing (the MERGE and takedown key); `doc_id` names one version.
Both are the first 32 hexadecimal digits of SHA-256: 128 bits, collision-free in practice at 10^11
documents (birthday bound about 10^-17).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ID_PATTERN = "[0-9a-f]{32}"
SHA256_PATTERN = "[0-9a-f]{64}"
LANGUAGE_PATTERN = "[a-z]{3}(_[A-Z][a-z]{3})?"
UNDETERMINED_LANGUAGE = "und"
UNKNOWN_LICENCE = "unknown"


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _short_id(*parts: str) -> str:
    return sha256_hex("\n".join(parts).encode("utf-8", "surrogatepass"))[:32]


def uri_id(source: str, canonical_uri: str) -> str:
    """The identity of a thing over time: where it comes from and its canonical URI."""
    return _short_id("uri", source, canonical_uri)


def doc_id(uri: str, content_sha256: str) -> str:
    """The identity of one version: a `uri_id` and the SHA-256 of the raw bytes."""
    return _short_id("doc", uri, content_sha256)


def derived_id(text: str) -> str:
    """An id for a record that came without one: the hash of its text."""
    return _short_id("text", text)


def config_hash(config: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change when any setting does. Keys may come in any order."""
    canonical = json.dumps(config, sort_keys=True, ensure_ascii=False, default=str)
    return sha256_hex(canonical.encode())[:16]
