"""Masking: typed placeholders that are stable within a document."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from etl.scrub.analyser import Finding, find
from etl.scrub.config import PLACEHOLDERS, ScrubConfig
from etl.scrub.normalise import PLACEHOLDER, normalise

_SEPARATORS = re.compile(r"[\s().\-/]")
_CHINA = re.compile(r"^(?:\+|00)?86(?=1[3-9]\d{9}$)")  # +86 before a mobile number may be left out


def _same(entity: str, value: str) -> str:
    """What two spellings of one value have in common."""
    value = unicodedata.normalize("NFKC", normalise(value))
    if entity == "SECRET_KEY":
        return value
    value = value.casefold()
    if entity in ("IP_ADDRESS", "EMAIL_ADDRESS"):
        return value
    return _CHINA.sub("", _SEPARATORS.sub("", value))


def mask(text: str, findings: Sequence[Finding]) -> str:
    """`text` with each finding as `[EMAIL_1]`: the same value, the same number.

    Numbers go up in order of appearance, after those of placeholders that are there already.
    """
    if not findings:
        return text
    highest: dict[str, int] = {}
    for match in PLACEHOLDER.finditer(text):
        word, _, number = match[0][1:-1].rpartition("_")
        highest[word] = max(highest.get(word, 0), int(number))
    numbers: dict[tuple[str, str], int] = {}
    pieces: list[str] = []
    at = 0
    for found in findings:
        word = PLACEHOLDERS[found.entity]
        key = (word, _same(found.entity, text[found.start : found.end]))
        if key not in numbers:
            highest[word] = numbers[key] = highest.get(word, 0) + 1
        pieces += [text[at : found.start], f"[{word}_{numbers[key]}]"]
        at = found.end
    return "".join([*pieces, text[at:]])


def scrub(text: str, config: ScrubConfig | None = None) -> tuple[str, list[Finding]]:
    """The masked text, and what was found where in the text as it was. Idempotent."""
    findings = find(text, config or ScrubConfig())
    return mask(text, findings), findings
