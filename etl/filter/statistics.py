"""Statistics of a batch of documents, measured once and shared by all rules."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from etl.filter.characters import class_table, flag_table
from etl.filter.columns import DUPLICATE_NGRAMS, TOP_NGRAMS, Column
from etl.filter.languages import base_language, languages, stop_words
from etl.filter.measures import (
    measure_paragraphs,
    measure_split_lines,
    measure_symbols,
    measure_text_lines,
    measure_words,
)
from etl.filter.ngrams import (
    accumulate,
    duplicate_ngrams,
    find_slot,
    measure_stop_words,
    top_ngram,
)
from etl.filter.tokens import decode, span_hash, tokenise

MAX_CHARACTERS = 4 * 2**20
"""A document is measured on its first 4,194,304 characters: memory stays bounded (about 400 MB in
the worst case), and every rule that such a document can fail is decided by then."""

_ABBREVIATIONS = "Mr Mrs Ms Dr St Jr Sr Prof Rev Gen Col Capt Lt vs etc Inc Ltd Co No Vol Fig"
_COLUMNS = int(Column.COLUMNS)
_CHARACTERS = int(Column.CHARACTERS)
_TOP = int(Column.TOP_NGRAM)
_DUPLICATE = int(Column.DUPLICATE_NGRAM)
_NO_LANGUAGE = -1  # not known: any list may speak for it
_UNLISTED = 63  # known, without a list: no word is ever found, and the rule does not apply

Table = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """`values` is float64 of shape (documents, Column.COLUMNS); `language` the base codes.

    `extra` holds columns measured outside the kernel, by name (the C4 line pass).
    """

    values: NDArray[np.float64]
    language: tuple[str, ...]
    extra: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __getitem__(self, column: int) -> NDArray[np.float64]:
        return self.values[:, column]


@functools.cache
def _lexicon() -> tuple[Table, NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Function words as a hash table: keys, stamps, entry of each slot, language mask of each."""
    words = stop_words()
    size = 1 << (4 * len(words)).bit_length()
    keys, stamps = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    entries = np.zeros(size, np.int64)
    for entry, word in enumerate(words):
        key = _hash(word)
        slot = find_slot(keys, stamps, 1, size - 1, key)
        keys[slot], stamps[slot], entries[slot] = key, 1, entry
    return keys, stamps, entries, np.array(list(words.values()), np.int64)


def _hash(word: str) -> np.uint64:
    points = np.array([ord(character) for character in word], np.uint32)
    return np.uint64(span_hash(points, 0, len(points)))


@functools.cache
def _abbreviations() -> NDArray[np.uint64]:
    return np.array([_hash(word) for word in _ABBREVIATIONS.split()], np.uint64)


@njit(cache=True, nogil=True)
def _table_mask(entries, slots):  # type: ignore[no-untyped-def]
    """Size minus one of a hash table at most half full; small tables stay in the cache."""
    mask = 15
    while mask < 2 * entries:
        mask = 2 * mask + 1
    return min(mask, slots - 1)


@njit(cache=True, nogil=True)
def _measure_batch(  # type: ignore[no-untyped-def]
    data,
    offsets,
    language,
    classes,
    flags,
    abbreviations,
    word_keys,
    word_stamps,
    word_entries,
    word_masks,
    size,
    multilingual,
    out,
):
    """One row of `out` per document. `size` bounds the code points of any of them."""
    points = np.empty(size + 2, np.uint32)
    starts, ends = np.empty(size + 1, np.int32), np.empty(size + 1, np.int32)
    kinds, hashes = np.empty(size + 1, np.uint8), np.empty(size + 1, np.uint64)
    rolling, lengths = np.empty(size + 2, np.uint64), np.empty(size + 2, np.int64)
    slots = _table_mask(size, 1 << 62) + 1
    keys, stamps = np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    counts, firsts = np.empty(slots, np.int32), np.empty(slots, np.int32)
    seen = np.full(word_masks.shape[0], -1, np.int64)
    least, line_words = (2, 3.0) if multilingual else (1, 0.0)
    stamp = 0
    for row in range(offsets.shape[0] - 1):
        stats = out[row]
        count = decode(data, offsets[row], offsets[row + 1], multilingual, points[:size])
        stats[_CHARACTERS] = count
        tokens = tokenise(
            points, count, classes, flags, abbreviations, starts, ends, kinds, hashes
        )  # fmt: skip
        span = measure_words(points, classes, tokens, starts, ends, kinds, stats)
        measure_symbols(points, count, stats)
        measure_split_lines(
            points, count, classes, flags, tokens, starts, kinds, line_words, stats
        )  # fmt: skip
        measure_stop_words(
            points, tokens, starts, ends, kinds, hashes, word_keys, word_stamps, word_entries,
            word_masks, seen, row, language[row], stats,
        )  # fmt: skip
        mask = _table_mask(count, slots)
        measure_text_lines(
            points, count, classes, flags, tokens, starts, kinds, keys, stamps, stamp + 1, mask,
            stats,
        )  # fmt: skip
        measure_paragraphs(points, count, classes, keys, stamps, stamp + 2, mask, stats)
        stamp += 2
        held = accumulate(
            tokens, starts, ends, kinds, hashes, multilingual, rolling, lengths
        )  # fmt: skip
        mask = _table_mask(held, slots)
        for which in range(len(TOP_NGRAMS)):
            words = TOP_NGRAMS[which]
            stamp += 1
            stats[_TOP + which] = top_ngram(
                held, words * span, words - 1 if span == 1 else 0, least, rolling, lengths,
                keys, stamps, counts, firsts, stamp, mask,
            )  # fmt: skip
        for which in range(len(DUPLICATE_NGRAMS)):
            stamp += 1
            stats[_DUPLICATE + which] = duplicate_ngrams(
                held, DUPLICATE_NGRAMS[which] * span, rolling, lengths, keys, stamps, stamp, mask
            )


def measure(
    texts: pa.Array, codes: Sequence[str | None], *, multilingual: bool = True
) -> Statistics:  # fmt: skip
    """Measures every document of `texts` (null counts as empty).

    `codes` are language identifiers (`cmn_Hans`), None or "und" where unknown. `multilingual`
    chooses between the measures of the profile `default` and the published English ones; what
    differs: carriage returns (left out), n-grams (of words, without punctuation marks; the top one
    must occur twice) and sentences (only in lines of three words).
    """
    column = pc.fill_null(texts, "").cast(pa.large_string())
    _, positions, bytes_ = column.buffers()
    rows = len(column)
    known = {code: bit for bit, code in enumerate(languages())}
    bases = tuple(base_language(code or "") for code in codes)
    bits = np.array(
        [known.get(base, _UNLISTED) if base else _NO_LANGUAGE for base in bases], np.int64
    )
    values = np.zeros((rows, _COLUMNS))
    if rows == 0:
        return Statistics(values, bases)
    offsets = np.frombuffer(positions, np.int64)[column.offset : column.offset + rows + 1]
    empty = bytes_ is None or bytes_.size == 0
    data = np.zeros(1, np.uint8) if empty else np.frombuffer(bytes_, np.uint8)
    longest = int(np.diff(offsets).max())
    _measure_batch(
        data, offsets, bits, class_table(), flag_table(), _abbreviations(), *_lexicon(),
        max(16, min(longest, MAX_CHARACTERS)), multilingual, values,
    )  # fmt: skip
    return Statistics(values, bases)
