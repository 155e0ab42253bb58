"""What each code point is to the filters: one byte a character, looked up by the kernels.

Words are counted by script, not by a segmenter. Scripts that put spaces between words are cut at
spaces and punctuation. In scripts written without spaces every character is a token of its own,
and a fixed number of characters counts as one word (`CHARACTERS_PER_WORD`): Chinese words average
about 1.5 characters, Thai, Lao, Khmer and Burmese words about 4 code points, vowel and tone signs
included. Sources: Unicode Standard Annex 29 (which scripts need a dictionary to find words),
Annex 24 (scripts), `Sentence_Terminal` of PropList.txt.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
from numpy.typing import NDArray

SPACE, LETTER, DIGIT, MARK, IDEOGRAPH, UNSPACED, PUNCTUATION, SYMBOL, HANGUL = range(9)

CHARACTERS_PER_WORD = {IDEOGRAPH: 1.5, UNSPACED: 4.0}
NGRAM_CHARACTERS_PER_WORD = {IDEOGRAPH: 2, UNSPACED: 4}
"""An n-gram of n words is n times as many characters there (whole numbers)."""

# Line breaks as `str.splitlines` sees them.
LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

_IDEOGRAPH_RANGES = (
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3041, 0x3096), (0x309D, 0x309F),
    (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D), (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFD),
)  # fmt: skip
# Thai, Lao, Myanmar, Khmer, New Tai Lue, Tai Tham, Balinese, Javanese, Myanmar extensions, Tai Viet
_UNSPACED_RANGES = (
    (0x0E01, 0x0E4E), (0x0E80, 0x0ECF), (0x0EDC, 0x0EDF), (0x1000, 0x109F), (0x1780, 0x17D3),
    (0x1950, 0x19DF), (0x1A20, 0x1AAD), (0x1B00, 0x1B4C), (0xA980, 0xA9C0), (0xA9E0, 0xA9FE),
    (0xAA60, 0xAADF),
)  # fmt: skip
_HANGUL_RANGES = ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C), (0xAC00, 0xD7FB))
_HIGHEST_NAMED = 0x20000  # above: ideographs, then tags and private use
_ASCII_SYMBOLS = "$+<=>^`|~"  # Unicode calls them symbols; to a filter they are punctuation

TERMINATORS = (
    "!.?։؝؞؟۔܀܁܂߹࠷࠹࠽࠾।॥၊။።፧፨᙮᜵᜶។៕៖៙៚᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᭽᭾᰻᰼᱾᱿‼‽⁇⁈⁉⸮⸼⹓⹔。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡…"
)
"""Ends of sentences (`Sentence_Terminal`, the Basic Multilingual Plane), and the ellipsis."""

CLOSERS = "\"'”’»）)]】」』》〉｝}*_`"
"""What may follow the end of a sentence: closing quotes, brackets and Markdown emphasis."""

IS_TERMINATOR, IS_CLOSER, IS_LINE_BREAK, IS_WIDE, IS_LETTER = 1, 2, 4, 8, 16


def _paint(table: NDArray[np.uint8], ranges: tuple[tuple[int, int], ...], value: int) -> None:
    for first, last in ranges:
        area = table[first : last + 1]
        # Digits and punctuation inside a script's block stay what they are.
        area[(area == LETTER) | (area == MARK) | (area == SYMBOL)] = value


@functools.cache
def class_table() -> NDArray[np.uint8]:
    """Class of every code point: uint8 of shape (0x110000,). Built once a process (40 ms)."""
    table = np.full(0x110000, SYMBOL, np.uint8)
    by_category = {"L": LETTER, "N": DIGIT, "M": MARK, "P": PUNCTUATION, "Z": SPACE}
    for point in range(_HIGHEST_NAMED):
        character = chr(point)
        category = unicodedata.category(character)
        if character.isspace():
            table[point] = SPACE
        elif category in {"Cc", "Cf"}:
            table[point] = PUNCTUATION
        else:
            table[point] = by_category.get(category[0], SYMBOL)
    for character in _ASCII_SYMBOLS:
        table[ord(character)] = PUNCTUATION
    _paint(table, _HANGUL_RANGES, HANGUL)
    _paint(table, _UNSPACED_RANGES, UNSPACED)
    _paint(table, _IDEOGRAPH_RANGES, IDEOGRAPH)
    return table


@functools.cache
def flag_table() -> NDArray[np.uint8]:
    """Bit flags of every code point: uint8 of shape (0x110000,)."""
    table = np.zeros(0x110000, np.uint8)
    for characters, flag in (
        (TERMINATORS, IS_TERMINATOR),
        (CLOSERS, IS_CLOSER),
        (LINE_BREAKS, IS_LINE_BREAK),
    ):
        for character in characters:
            table[ord(character)] |= flag
    classes = class_table()
    letters = (
        (classes == LETTER)
        | (classes == HANGUL)
        | (classes == IDEOGRAPH)
        | (classes == UNSPACED)
    )  # fmt: skip
    table[letters] |= IS_LETTER
    wide = (classes == IDEOGRAPH) | (classes == HANGUL)
    table[wide] |= IS_WIDE
    table[0x3000:0x3100] |= IS_WIDE  # full-width punctuation and kana
    table[0xFF01:0xFF61] |= IS_WIDE
    return table
