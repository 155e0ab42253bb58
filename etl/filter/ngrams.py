"""Kernels that find what repeats or is listed: the hash table, n-grams, function words.

Repeats are found in an open-addressing hash table that all passes share: a slot counts as empty
unless its stamp is that of the pass, so nothing is ever cleared.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from etl.filter.columns import Column
from etl.filter.tokens import HANGUL_TOKEN, MIX, PUNCTUATED, SHIFT, UNSPACED_TOKEN, span_hash

_BASE = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_WORD = 16  # code points; no function word is longer
_ENGLISH_STOP_WORDS = int(Column.ENGLISH_STOP_WORDS)
_STOP_WORDS = int(Column.STOP_WORDS)


@njit(cache=True, nogil=True)
def find_slot(keys, stamps, stamp, mask, key):  # type: ignore[no-untyped-def]
    """The slot of `key`: the one that holds it in this pass, or the first empty one."""
    mixed = (key ^ (key >> SHIFT)) * MIX
    slot = np.int64((mixed ^ (mixed >> SHIFT)) & np.uint64(mask))
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def power(exponent):  # type: ignore[no-untyped-def]
    value = np.uint64(1)
    for _ in range(exponent):
        value *= _BASE
    return value


@njit(cache=True, nogil=True)
def accumulate(tokens, starts, ends, kinds, hashes, words_only, rolling, lengths):  # type: ignore[no-untyped-def]
    """Prefix sums: `rolling` for the hash of any n-gram, `lengths` for its characters.

    Returns how many tokens they hold: all, or all but punctuation marks when `words_only`.
    """
    rolling[0] = np.uint64(0)
    lengths[0] = 0
    held = 0
    for token in range(tokens):
        if words_only and kinds[token] & PUNCTUATED:
            continue
        rolling[held + 1] = rolling[held] * _BASE + hashes[token]
        lengths[held + 1] = lengths[held] + ends[token] - starts[token]
        held += 1
    return held


@njit(cache=True, nogil=True)
def top_ngram(  # type: ignore[no-untyped-def]
    tokens, size, spaces, least, rolling, lengths, keys, stamps, counts, firsts, stamp, mask
):
    """Characters in all copies of the most frequent n-gram (the first of them, when they tie).

    0 when it occurs fewer than `least` times. `spaces` is what joining it with spaces adds.
    """
    factor = power(size)
    best, best_first = 0, tokens
    for start in range(tokens - size + 1):
        key = rolling[start + size] - rolling[start] * factor
        slot = find_slot(keys, stamps, stamp, mask, key)
        if stamps[slot] != stamp:
            keys[slot] = key
            stamps[slot] = stamp
            counts[slot] = 0
            firsts[slot] = start
        counts[slot] += 1
        count, first = counts[slot], firsts[slot]
        if count > best or (count == best and first < best_first):
            best, best_first = count, first
    if best < least or best == 0:
        return 0
    return best * (lengths[best_first + size] - lengths[best_first] + spaces)


@njit(cache=True, nogil=True)
def duplicate_ngrams(tokens, size, rolling, lengths, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Characters in n-grams that occurred before; what is counted once is skipped."""
    factor = power(size)
    repeated = 0
    start = 0
    while start + size <= tokens:
        key = rolling[start + size] - rolling[start] * factor
        slot = find_slot(keys, stamps, stamp, mask, key)
        if stamps[slot] == stamp:
            repeated += lengths[start + size] - lengths[start]
            start += size
        else:
            keys[slot] = key
            stamps[slot] = stamp
            start += 1
    return repeated


@njit(cache=True, nogil=True)
def measure_stop_words(  # type: ignore[no-untyped-def]
    points,
    tokens,
    starts,
    ends,
    kinds,
    hashes,
    keys,
    stamps,
    entries,
    masks,
    seen,
    document,
    language,
    out,
):
    """Distinct function words, for English and for `language` (a bit, or -1: the best of all)."""
    found = np.empty(masks.shape[0], np.int64)
    count = 0
    limit = keys.shape[0] - 1
    for token in range(tokens):
        kind = kinds[token]
        if kind & PUNCTUATED or ends[token] - starts[token] > _LONGEST_WORD:
            continue
        tries = 3 if kind & UNSPACED_TOKEN else (2 if kind & HANGUL_TOKEN else 1)
        for attempt in range(tries):
            key = hashes[token]
            if kind & UNSPACED_TOKEN:  # words of 2 to 4 code points may start anywhere
                stop = starts[token] + attempt + 2
                if token + attempt + 1 >= tokens or ends[token + attempt + 1] != stop:
                    break
                key = span_hash(points, starts[token], stop)
            elif attempt == 1:  # a Korean particle is the last syllable of its word
                key = span_hash(points, ends[token] - 1, ends[token])
            slot = find_slot(keys, stamps, 1, limit, key)
            if stamps[slot] == 1 and seen[entries[slot]] != document:
                seen[entries[slot]] = document
                found[count] = entries[slot]
                count += 1
    best = 0
    for bit in range(64):
        if bit != 0 and language >= 0 and bit != language:
            continue
        held = 0
        for entry in found[:count]:
            held += (masks[entry] >> bit) & 1
        if bit == 0:
            out[_ENGLISH_STOP_WORDS] = held
        if language < 0 or bit == language:
            best = max(best, held)
    out[_STOP_WORDS] = best
