"""What a text is compared by: its normal form, and the units that shingles are made of.

Normal form (`normalise`): NFKC, then full case folding, then NFKC again; runs of white space become
one space, and none is left at the ends. Two texts with one normal form are exact duplicates.

Units (`units`) are read from the normal form, in every language without a tokenizer: a run of
letters, marks and digits is one unit (a word); in scripts written without spaces (Han, kana, Yi,
Thai, Lao, Khmer, Myanmar) every character is one. Punctuation, symbols and white space separate;
format characters (soft hyphen, joiners) are skipped.

`code_point_table` holds the same for the kernel, code point by code point. The code points for
which the normal form depends on their neighbours, or is longer than one, are marked `COMPLEX`: a
text that holds one is normalised as a whole first, so that the kernel is exact for every text.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SPACE, SEPARATOR, LETTER, CHARACTER, IGNORED = range(5)
COMPLEX = 1 << 31
CLASS_SHIFT = 24
CODE_POINT_MASK = (1 << 21) - 1
TABLE_SIZE = 0x20000  # the planes above hold ideographs (2 and 3) and nothing that counts

# Unicode blocks of scripts written without spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3021, 0x3029), (0x3038, 0x303B), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xA000, 0xA4CF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),
)  # fmt: skip


def normalise(text: str) -> str:
    """The normal form, see the module."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(_fold(text).split())


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


def character_class(code_point: int) -> int:
    """SPACE, SEPARATOR, LETTER, CHARACTER or IGNORED."""
    if code_point >= 0x40000:
        return SEPARATOR
    if code_point >= 0x20000:
        return CHARACTER
    character = chr(code_point)
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)
    if category[0] in "LMN":
        unspaced = any(first <= code_point <= last for first, last in _UNSPACED)
        return CHARACTER if unspaced else LETTER
    return IGNORED if category == "Cf" else SEPARATOR


def units(text: str) -> list[str]:
    """The units of `text` in their order; the kernel's reference."""
    found: list[str] = []
    word = ""
    for character in normalise(text):
        kind = character_class(ord(character))
        if kind == LETTER:
            word += character
        elif kind != IGNORED:
            if word:
                found.append(word)
                word = ""
            if kind == CHARACTER:
                found.append(character)
    return [*found, word] if word else found


@lru_cache(maxsize=1)
def code_point_table() -> npt.NDArray[np.uint32]:
    """uint32[TABLE_SIZE]: COMPLEX flag, class << CLASS_SHIFT, folded code point."""
    import numpy as np

    composing = _composing()
    table = np.zeros(TABLE_SIZE, dtype=np.uint32)
    for code_point in range(TABLE_SIZE):
        character = chr(code_point)
        folded = character if 0xD800 <= code_point < 0xE000 else _fold(character)
        simple = len(folded) == 1 and not _depends(character, composing)
        if simple and folded != character:
            simple = not _depends(folded, composing)
        if simple:
            entry = ord(folded) | character_class(ord(folded)) << CLASS_SHIFT
        else:
            entry = COMPLEX | code_point | character_class(code_point) << CLASS_SHIFT
        table[code_point] = entry
    return table


def _depends(character: str, composing: frozenset[str]) -> bool:
    """Normalisation may move it, or join it to what stands before it (NFKC_Quick_Check: Maybe)."""
    return unicodedata.combining(character) != 0 or character in composing


def _composing() -> frozenset[str]:
    second = set(map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]))  # Hangul jamo
    for code_point in range(min(sys.maxunicode, 0x3FFFF)):
        parts = unicodedata.decomposition(chr(code_point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second.add(chr(int(parts[1], 16)))
    return frozenset(second)
