"""One-to-one normalisation: full-width forms, foreign digits and dashes become ASCII.

Every character stays where it is, so that a place in the normalised text is a place in the text.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

from etl.scrub.config import PLACEHOLDERS

BARRIER = "￼"
"""Stands for what is masked already. No pattern matches it, and no context reaches across it."""

PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(PLACEHOLDERS.values())})_\d{{1,9}}]")

_DASHES = "‐‑‒–—―−﹘﹣－"
_SPACES = (
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)


@functools.cache
def _table() -> dict[int, str]:
    table = {ord(dash): "-" for dash in _DASHES} | {ord(space): " " for space in _SPACES}
    for point in range(0xFF01, 0xFF5F):
        table.setdefault(point, chr(point - 0xFEE0))
    for point in range(0x80, min(0x20000, sys.maxunicode)):
        digit = unicodedata.decimal(chr(point), None)
        if digit is not None:
            table[point] = str(digit)
    return table


def normalise(text: str) -> str:
    """`text` with ASCII digits, letters, dashes and spaces; of the same length."""
    return text if text.isascii() else text.translate(_table())


def hide_placeholders(text: str) -> str:
    """`text` with each existing placeholder turned into barriers; of the same length."""
    if "[" not in text:
        return text
    return PLACEHOLDER.sub(lambda match: BARRIER * len(match[0]), text)
