"""The hot loop: one pass over an Arrow string buffer gives the normal form and the MinHash minima.

Everything here is numba over flat arrays: UTF-8 bytes and offsets in, minima out. The permutations
are datasketch's `affine32` scheme: a shingle's 32-bit hash is mixed once with MurmurHash3's
finalizer, then permuted with `a * h + b mod 2**32` (`a` odd). Signatures are byte-identical to
`datasketch.MinHash.hashvalues` over the same shingle hashes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from etl.dedup.alphabet import (
    CHARACTER,
    CLASS_SHIFT,
    CODE_POINT_MASK,
    COMPLEX,
    IGNORED,
    LETTER,
    SEPARATOR,
    SPACE,
    TABLE_SIZE,
)
from etl.dedup.compiled import compiled

Array = npt.NDArray[Any]

EMPTY = 0xFFFFFFFF  # the minimum over no shingle, datasketch's own sentinel
NEEDS_NORMALISING = -1  # in `units`: the text holds a COMPLEX code point
LANES = 64  # shingles are padded to full vectors (a repeated one changes no minimum)
UNIT_PRIME = np.uint64(0x9E3779B97F4A7C15)
SHINGLE_PRIME = np.uint64(0xD6E8FEB86659FD93)
_LENGTH_SALT = np.uint64(0xA0761D6478BD642F)


@compiled
def mix64(value: Any) -> Any:
    """MurmurHash3's 64-bit finalizer: every input bit reaches every output bit."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@compiled
def mix32(value: Any) -> Any:
    """MurmurHash3's 32-bit finalizer, as datasketch's `affine32` applies it to shingle hashes."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))


@compiled
def decode(data: Any, position: Any, end: Any) -> Any:
    """The code point at `position` (a lead byte of 2 to 4) and its length; Arrow checked UTF-8."""
    lead = np.uint32(data[position])
    if lead < 0xE0:
        width = 2
        code_point = lead & np.uint32(0x1F)
    elif lead < 0xF0:
        width = 3
        code_point = lead & np.uint32(0x0F)
    else:
        width = 4
        code_point = lead & np.uint32(0x07)
    if position + width > end:  # never read past the row, whatever the buffer holds
        return np.uint32(0xFFFD), end - position
    for step in range(1, width):
        code_point = (code_point << np.uint32(6)) | np.uint32(data[position + step] & 0x3F)
    return code_point, width


@compiled
def encode(code_point: Any, out: Any, at: Any) -> Any:
    """Writes `code_point` (128 or more) as UTF-8 at `at`; returns the next position."""
    if code_point < 0x800:
        out[at] = 0xC0 | (code_point >> 6)
        out[at + 1] = 0x80 | (code_point & 0x3F)
        return at + 2
    if code_point < 0x10000:
        out[at] = 0xE0 | (code_point >> 12)
        out[at + 1] = 0x80 | ((code_point >> 6) & 0x3F)
        out[at + 2] = 0x80 | (code_point & 0x3F)
        return at + 3
    out[at] = 0xF0 | (code_point >> 18)
    out[at + 1] = 0x80 | ((code_point >> 12) & 0x3F)
    out[at + 2] = 0x80 | ((code_point >> 6) & 0x3F)
    out[at + 3] = 0x80 | (code_point & 0x3F)
    return at + 4


@compiled
def scan(
    data: Any, start: Any, end: Any, folded: Any, table: Any, out: Any, at: Any, hashes: Any
) -> tuple[Any, Any]:
    """One text: its normal form appended to `out` at `at`, its unit hashes in `hashes`.

    Returns (end of the normal form, number of units); the number is NEEDS_NORMALISING when a code
    point depends on its neighbours and the text is not `folded` (normalised) yet.
    """
    found = 0
    word = np.uint64(0)
    in_word = False
    pending = False
    first = at
    position = start
    while position < end:
        byte = data[position]
        if byte < 0x80:
            code_point = np.uint32(byte)
            position += 1
        else:
            code_point, width = decode(data, position, end)
            position += width
        if code_point < TABLE_SIZE:
            entry = table[code_point]
            kind = (entry >> np.uint32(CLASS_SHIFT)) & np.uint32(7)
            if not folded:
                if entry & np.uint32(COMPLEX):
                    return first, NEEDS_NORMALISING
                code_point = entry & np.uint32(CODE_POINT_MASK)
        elif code_point < 0x40000:
            if not folded and 0x2F800 <= code_point < 0x2FA20:  # compatibility ideographs
                return first, NEEDS_NORMALISING
            kind = np.uint32(CHARACTER)
        else:
            kind = np.uint32(SEPARATOR)
        if kind == SPACE:
            pending = at > first
        else:
            if pending:
                out[at] = 0x20
                at += 1
                pending = False
            if code_point < 0x80:
                out[at] = code_point
                at += 1
            else:
                at = encode(code_point, out, at)
        if kind == LETTER:
            word = (word + np.uint64(code_point) + np.uint64(1)) * UNIT_PRIME
            in_word = True
        elif kind != IGNORED:
            if in_word:
                hashes[found] = mix64(word)
                found += 1
                word = np.uint64(0)
                in_word = False
            if kind == CHARACTER:
                hashes[found] = mix64((np.uint64(code_point) + np.uint64(1)) * UNIT_PRIME)
                found += 1
    if in_word:
        hashes[found] = mix64(word)
        found += 1
    return at, found


@compiled
def shingle(hashes: Any, units: Any, ngram: Any, shingles: Any) -> Any:
    """32-bit hashes of all runs of `ngram` units; a shorter text is one shingle, all its units.

    The hash of a run is a polynomial in its unit hashes, rolled along in constant time.
    """
    size = min(units, ngram)
    leading = np.uint64(1)
    for _ in range(size - 1):
        leading *= SHINGLE_PRIME
    rolling = np.uint64(0)
    for index in range(size):
        rolling = rolling * SHINGLE_PRIME + hashes[index]
    salt = np.uint64(size) * _LENGTH_SALT
    shingles[0] = np.uint32(mix64(rolling + salt) >> np.uint64(32))
    count = 1
    for index in range(size, units):
        rolling = (rolling - hashes[index - size] * leading) * SHINGLE_PRIME + hashes[index]
        shingles[count] = np.uint32(mix64(rolling + salt) >> np.uint64(32))
        count += 1
    return count


@compiled
def minima(shingles: Any, count: Any, a: Any, b: Any, signature: Any) -> None:
    """signature[k] = min over the shingles of `a[k] * mix32(shingle) + b[k] mod 2**32`.

    `shingles` is overwritten, and must have room for LANES more than `count`.
    """
    for index in range(count):
        shingles[index] = mix32(shingles[index])
    padded = (count + LANES - 1) // LANES * LANES
    for index in range(count, padded):
        shingles[index] = shingles[count - 1]
    for k in range(a.shape[0]):
        multiplier, addend = a[k], b[k]
        least = np.uint32(EMPTY)
        for index in range(padded):
            value = np.uint32(multiplier * shingles[index] + addend)
            least = min(least, value)
        signature[k] = least


@compiled
def sketch(
    data: Any, offsets: Any, folded: Any, table: Any, ngram: Any, a: Any, b: Any
) -> tuple[Any, Any, Any, Any]:
    """Signatures of a column of texts.

    `data` uint8[bytes] and `offsets` int[rows + 1] are the Arrow buffers. Returns the normal forms
    (uint8, with int64 offsets), units int32[rows] and signatures uint32[rows, permutations]. A row
    whose units are NEEDS_NORMALISING has an empty normal form.
    """
    rows = offsets.shape[0] - 1
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest + 1, dtype=np.uint64)
    shingles = np.empty(longest + 1 + LANES, dtype=np.uint32)
    # Folding can make a code point of two bytes one of three.
    out = np.empty((offsets[rows] - offsets[0]) * 3 // 2 + 4, dtype=np.uint8)
    ends = np.zeros(rows + 1, dtype=np.int64)
    units = np.empty(rows, dtype=np.int32)
    signatures = np.full((rows, a.shape[0]), np.uint32(EMPTY), dtype=np.uint32)
    at = 0
    for row in range(rows):
        at, found = scan(data, offsets[row], offsets[row + 1], folded, table, out, at, hashes)
        ends[row + 1] = at
        units[row] = found
        if found > 0:
            count = shingle(hashes, found, ngram, shingles)
            minima(shingles, count, a, b, signatures[row])
    return out, ends, units, signatures


@compiled
def band_hashes(signatures: Any, bands: Any, rows: Any) -> Any:
    """uint64[documents, bands]: each band's minima and its number as one 64-bit hash."""
    documents = signatures.shape[0]
    hashed = np.empty((documents, bands), dtype=np.uint64)
    for document in range(documents):
        for band in range(bands):
            value = mix64(np.uint64(band + 1) * UNIT_PRIME)
            for row in range(band * rows, (band + 1) * rows):
                value = mix64(value ^ np.uint64(signatures[document, row]))
            hashed[document, band] = value
    return hashed
