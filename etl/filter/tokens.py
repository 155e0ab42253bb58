"""Kernels that turn UTF-8 into code points and tokens. Compiled by numba, without the GIL.

A token is a run of letters and digits, one character of a script without spaces, or a punctuation
mark (runs of the same dot, hyphen or equals sign are one). Contractions, hyphenated words and
abbreviations are cut as spaCy's English tokeniser cuts them, which is what datatrove counts with.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from etl.filter.characters import (
    DIGIT,
    HANGUL,
    IDEOGRAPH,
    IS_TERMINATOR,
    LETTER,
    MARK,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UNSPACED,
)

ALPHABETIC, PUNCTUATED, IDEOGRAPHIC, UNSPACED_TOKEN, TERMINATOR, HANGUL_TOKEN = 1, 2, 4, 8, 16, 32

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(32)

_APOSTROPHE, _RIGHT_QUOTE, _DOT, _COMMA, _HYPHEN, _EQUALS = 0x27, 0x2019, 0x2E, 0x2C, 0x2D, 0x3D


@njit(cache=True, nogil=True)
def decode(data, start, stop, drop_returns, points):  # type: ignore[no-untyped-def]
    """Code points of the UTF-8 bytes data[start:stop]; how many were written to `points`.

    `drop_returns` leaves out carriage returns, so that CRLF and LF mean the same.
    """
    count = 0
    limit = points.shape[0]
    at = start
    while at < stop and count < limit:
        lead = np.uint32(data[at])
        if lead < 0x80:
            size, point = 1, lead
        elif lead < 0xE0:
            size, point = 2, lead & np.uint32(0x1F)
        elif lead < 0xF0:
            size, point = 3, lead & np.uint32(0x0F)
        else:
            size, point = 4, lead & np.uint32(0x07)
        for step in range(1, size):
            if at + step < stop:
                point = (point << np.uint32(6)) | (np.uint32(data[at + step]) & np.uint32(0x3F))
        at += size
        if drop_returns and point == 0x0D:
            continue
        points[count] = min(point, np.uint32(0x10FFFF))
        count += 1
    return count


@njit(cache=True, nogil=True)
def span_hash(points, start, stop):  # type: ignore[no-untyped-def]
    """64-bit hash of points[start:stop] (FNV-1a over code points, then mixed)."""
    value = FNV_OFFSET
    for at in range(start, stop):
        value = (value ^ np.uint64(points[at])) * FNV_PRIME
    value ^= value >> SHIFT
    value *= MIX
    return value ^ (value >> SHIFT)


@njit(cache=True, nogil=True)
def _contraction(points, at, count, classes):  # type: ignore[no-untyped-def]
    """True when points[at] is the apostrophe of 's 'm 'd 're 'll 've at the end of a word."""
    size = 0
    if at + 1 < count:
        first = points[at + 1]
        second = points[at + 2] if at + 2 < count else np.uint32(0)
        if (first == 0x72 and second == 0x65) or (first == 0x6C and second == 0x6C):
            size = 2  # 're 'll
        elif first == 0x76 and second == 0x65:
            size = 2  # 've
        elif first == 0x73 or first == 0x6D or first == 0x64:
            size = 1  # 's 'm 'd
    after = at + 1 + size
    return size > 0 and (after >= count or classes[points[after]] in (SPACE, PUNCTUATION))


@njit(cache=True, nogil=True)
def _joins(points, at, count, classes):  # type: ignore[no-untyped-def]
    """Whether the punctuation at points[at], inside a word, belongs to the word."""
    if at + 1 >= count:
        return False
    mark, before, after = points[at], classes[points[at - 1]], classes[points[at + 1]]
    if after not in (LETTER, DIGIT, MARK, HANGUL) or before not in (LETTER, DIGIT, MARK, HANGUL):
        return False
    if mark in (_APOSTROPHE, _RIGHT_QUOTE):
        return not _contraction(points, at, count, classes)
    if mark == _DOT:  # www.example.com, 3.14; but "end.Start" is two words
        capital = 0x41 <= points[at + 1] <= 0x5A
        return not (capital and 0x61 <= points[at - 1] <= 0x7A)
    if mark == _COMMA:  # 1,000
        return before == DIGIT or after == DIGIT
    if mark == _HYPHEN:  # COVID-19
        return (before == LETTER and after == DIGIT) or (before == DIGIT and after == LETTER)
    if mark == 0x3A or mark == 0x2F:  # 10:30, 1/2
        return after == DIGIT
    return mark == 0x5F or mark == 0x40 or mark == 0x26 or mark == 0x25  # _ @ & %


@njit(cache=True, nogil=True)
def _word_end(points, at, count, classes):  # type: ignore[no-untyped-def]
    """End of the word that starts at points[at]; `n't` and `'s` stay for the next token."""
    end = at + 1
    while end < count:
        kind = classes[points[end]]
        inside = kind in (LETTER, DIGIT, MARK, HANGUL)
        if not inside and (kind != PUNCTUATION or not _joins(points, end, count, classes)):
            break
        end += 1
    negated = end - at > 3 and points[end - 1] == 0x74 and points[end - 3] == 0x6E
    if negated and points[end - 2] in (_APOSTROPHE, _RIGHT_QUOTE):
        return end - 3  # do|n't
    return end


@njit(cache=True, nogil=True)
def _starts_contraction(points, at, count, classes):  # type: ignore[no-untyped-def]
    mark = points[at]
    if mark not in (_APOSTROPHE, _RIGHT_QUOTE):
        return False
    if at == 0 or classes[points[at - 1]] not in (LETTER, DIGIT):
        return False
    return _contraction(points, at, count, classes)


@njit(cache=True, nogil=True)
def _word_kind(points, start, stop, classes):  # type: ignore[no-untyped-def]
    for at in range(start, stop):
        kind = classes[points[at]]
        if kind == HANGUL:
            return ALPHABETIC | HANGUL_TOKEN
        if kind == LETTER:
            return ALPHABETIC
    return 0


@njit(cache=True, nogil=True)
def _is_abbreviation(points, start, stop, hashed, abbreviations):  # type: ignore[no-untyped-def]
    """A single capital (J.) or a listed title (Mr.): the dot after it ends no sentence."""
    if stop - start == 1 and 0x41 <= points[start] <= 0x5A:
        return True
    if stop - start > 5:
        return False
    return np.any(abbreviations == hashed)


@njit(cache=True, nogil=True)
def tokenise(points, count, classes, flags, abbreviations, starts, ends, kinds, hashes):  # type: ignore[no-untyped-def]
    """Tokens of points[:count]: start, end, kind (bits) and hash of each; how many there are."""
    tokens = 0
    at = 0
    while at < count:
        point = points[at]
        kind = classes[point]
        if kind == SPACE:
            at += 1
            continue
        end = at + 1
        bits = 0
        if kind == IDEOGRAPH:
            bits = ALPHABETIC | IDEOGRAPHIC
        elif kind == UNSPACED:
            bits = ALPHABETIC | UNSPACED_TOKEN
        elif kind == PUNCTUATION and not _starts_contraction(points, at, count, classes):
            bits = PUNCTUATED
            if point in (_DOT, _HYPHEN, _EQUALS):
                while end < count and points[end] == point:
                    end += 1
            if end - at == 1 and flags[point] & IS_TERMINATOR and point != 0x2026:
                bits |= TERMINATOR
        elif kind != SYMBOL:
            end = _word_end(points, at, count, classes)
            bits = _word_kind(points, at, end, classes)
        hashed = span_hash(points, at, end)
        dotted = not bits & PUNCTUATED and end < count and points[end] == _DOT
        if dotted and _is_abbreviation(points, at, end, hashed, abbreviations):
            end += 1
            hashed = span_hash(points, at, end)
        starts[tokens] = at
        ends[tokens] = end
        kinds[tokens] = bits
        hashes[tokens] = hashed
        tokens += 1
        at = end
    return tokens
