"""Kernels that measure one document: words, lines, paragraphs. Linear in its length.

Every function fills columns of the row `out`; `etl.filter.columns` names them.
"""

from __future__ import annotations

from numba import njit

from etl.filter.characters import (
    CHARACTERS_PER_WORD,
    HANGUL,
    IDEOGRAPH,
    IS_CLOSER,
    IS_LINE_BREAK,
    IS_TERMINATOR,
    IS_WIDE,
    MARK,
    NGRAM_CHARACTERS_PER_WORD,
    SPACE,
    UNSPACED,
)
from etl.filter.columns import Column
from etl.filter.ngrams import find_slot
from etl.filter.tokens import (
    ALPHABETIC,
    IDEOGRAPHIC,
    PUNCTUATED,
    TERMINATOR,
    UNSPACED_TOKEN,
    span_hash,
)

_IDEOGRAPH_WORD = 1.0 / CHARACTERS_PER_WORD[IDEOGRAPH]
_UNSPACED_WORD = 1.0 / CHARACTERS_PER_WORD[UNSPACED]
_IDEOGRAPH_SPAN = NGRAM_CHARACTERS_PER_WORD[IDEOGRAPH]
_UNSPACED_SPAN = NGRAM_CHARACTERS_PER_WORD[UNSPACED]
_SHORT_LINE = 30
_HASH_SIGN, _ELLIPSIS, _DOT, _BULLET, _HYPHEN, _NEWLINE = 0x23, 0x2026, 0x2E, 0x2022, 0x2D, 0x0A

# Columns as plain integers: numba takes module constants, not enum members, at full speed.
(_CHARACTERS, _TOKENS, _WORDS, _WORD_CHARACTERS, _ALPHABETIC, _SPACED_WORDS, _SPACED_LETTERS,
 _HASHES, _ELLIPSES, _LINES, _BULLETS, _ELLIPSIS_LINES, _SENTENCES) = range(13)  # fmt: skip
_PARAGRAPHS = int(Column.PARAGRAPHS)
_TEXT_LINES = int(Column.TEXT_LINES)
_FULL_LINES = int(Column.FULL_LINES)
_NEWLINES = int(Column.NEWLINES)
_UNSPACED_WORDS = int(Column.UNSPACED_WORDS)
_REPEATED_FULL = int(Column.DUPLICATE_FULL_LINE_CHARACTERS)
_WORDY_LINES = int(Column.WORDY_LINES)
_PROSE_LINES = int(Column.PROSE_LINES)
_LINE_WORDS = 3


@njit(cache=True, nogil=True)
def word_weight(kind):  # type: ignore[no-untyped-def]
    """How much of a word a token is (`etl.filter.characters`)."""
    if kind & IDEOGRAPHIC:
        return _IDEOGRAPH_WORD
    if kind & UNSPACED_TOKEN:
        return _UNSPACED_WORD
    return 1.0


@njit(cache=True, nogil=True)
def measure_words(points, classes, tokens, starts, ends, kinds, out):  # type: ignore[no-untyped-def]
    """Words, their length and kind; returns how many tokens a word of an n-gram spans."""
    ideographs = 0
    unspaced = 0
    for token in range(tokens):
        kind = kinds[token]
        weight = word_weight(kind)
        out[_TOKENS] += weight
        if kind & PUNCTUATED:
            continue
        out[_WORDS] += weight
        out[_WORD_CHARACTERS] += ends[token] - starts[token]
        if kind & ALPHABETIC:
            out[_ALPHABETIC] += weight
        if kind & IDEOGRAPHIC:
            ideographs += 1
        elif kind & UNSPACED_TOKEN:
            unspaced += 1
        else:
            out[_SPACED_WORDS] += 1
            for at in range(starts[token], ends[token]):
                if classes[points[at]] == HANGUL:
                    out[_SPACED_LETTERS] += 2
                elif classes[points[at]] != MARK:
                    out[_SPACED_LETTERS] += 1
    out[_UNSPACED_WORDS] = unspaced * _UNSPACED_WORD
    spaced = out[_SPACED_WORDS]
    if ideographs >= max(spaced, unspaced) and ideographs > 0:
        return _IDEOGRAPH_SPAN
    return _UNSPACED_SPAN if unspaced > spaced else 1


@njit(cache=True, nogil=True)
def measure_symbols(points, count, out):  # type: ignore[no-untyped-def]
    """Hash signs, ellipses ("..." without overlap, "…") and newlines."""
    dots = 0
    for at in range(count):
        point = points[at]
        if point == _DOT:
            dots += 1
            if dots == 3:
                out[_ELLIPSES] += 1
                dots = 0
            continue
        dots = 0
        if point == _HASH_SIGN:
            out[_HASHES] += 1
        elif point == _ELLIPSIS:
            out[_ELLIPSES] += 1
        elif point == _NEWLINE:
            out[_NEWLINES] += 1


@njit(cache=True, nogil=True)
def _ends_in_ellipsis(points, start, stop):  # type: ignore[no-untyped-def]
    if stop > start and points[stop - 1] == _ELLIPSIS:
        return True
    if stop - start < 3:
        return False
    return points[stop - 1] == _DOT and points[stop - 2] == _DOT and points[stop - 3] == _DOT


@njit(cache=True, nogil=True)
def _sentences(first, last, kinds, line_words):  # type: ignore[no-untyped-def]
    """Sentences in the tokens of one line; none when it has fewer than `line_words` words."""
    words = 0.0
    sentences = 1 if last > first else 0
    ended = False
    for token in range(first, last):
        kind = kinds[token]
        if kind & TERMINATOR:
            ended = True
        elif not kind & PUNCTUATED:
            words += word_weight(kind)
            if ended:
                sentences += 1
                ended = False
    return sentences if words >= line_words else 0


@njit(cache=True, nogil=True)
def measure_split_lines(points, count, classes, flags, tokens, starts, kinds, line_words, out):  # type: ignore[no-untyped-def]
    """Lines as `str.splitlines` cuts them: bullets, ellipses, sentences."""
    start = 0
    token = 0
    while start < count:
        stop = start
        while stop < count and not flags[points[stop]] & IS_LINE_BREAK:
            stop += 1
        after = stop + 1
        if stop + 1 < count and points[stop] == 0x0D and points[stop + 1] == _NEWLINE:
            after += 1
        left, right = start, stop
        while left < right and classes[points[left]] == SPACE:
            left += 1
        while right > left and classes[points[right - 1]] == SPACE:
            right -= 1
        out[_LINES] += 1
        if left < right and (points[left] == _BULLET or points[left] == _HYPHEN):
            out[_BULLETS] += 1
        if _ends_in_ellipsis(points, left, right):
            out[_ELLIPSIS_LINES] += 1
        first = token
        while token < tokens and starts[token] < stop:
            token += 1
        out[_SENTENCES] += _sentences(first, token, kinds, line_words)
        start = after


@njit(cache=True, nogil=True)
def _is_marked(points, start, stop, classes):  # type: ignore[no-untyped-def]
    """Whether the line begins with a mark of a list item, a table row, a heading or a quotation."""
    while start < stop - 1 and classes[points[start]] == SPACE:
        start += 1
    return points[start] in (0x23, 0x2A, 0x2B, 0x2D, 0x3E, 0x7C, 0xB7, 0x2022)  # # * + - > | · •


@njit(cache=True, nogil=True)
def _measure_full_line(points, start, stop, classes, flags, out):  # type: ignore[no-untyped-def]
    """FineWeb's view of one line that is not blank."""
    out[_FULL_LINES] += 1
    last = points[stop - 1]
    if flags[last] & IS_TERMINATOR and last != _ELLIPSIS:
        out[_FULL_LINES + 1] += 1
    end = stop
    while end > start and (classes[points[end - 1]] == SPACE or flags[points[end - 1]] & IS_CLOSER):
        end -= 1
    sentence = end > start and flags[points[end - 1]] & IS_TERMINATOR
    if sentence:
        out[_FULL_LINES + 2] += 1
    if stop - start <= _SHORT_LINE:
        out[_FULL_LINES + 3] += 1
    columns = 0
    for at in range(start, stop):
        if columns > _SHORT_LINE:
            break
        if classes[points[at]] != MARK:
            columns += 2 if flags[points[at]] & IS_WIDE else 1
    if columns <= _SHORT_LINE:
        out[_FULL_LINES + 4] += 1
    elif not _is_marked(points, start, stop, classes):
        out[_PROSE_LINES] += 1
        if sentence:
            out[_PROSE_LINES + 1] += 1


@njit(cache=True, nogil=True)
def _count_line(repeated, blank, wordy, length, out):  # type: ignore[no-untyped-def]
    """One line in the counts of lines and of repeated lines: all, not blank, wordy."""
    out[_TEXT_LINES] += 1
    if wordy:
        out[_WORDY_LINES] += 1
    if not repeated:
        return
    out[_TEXT_LINES + 1] += 1
    out[_TEXT_LINES + 2] += length
    if not blank:
        out[_REPEATED_FULL] += length
    if wordy:
        out[_WORDY_LINES + 1] += 1
        out[_WORDY_LINES + 2] += length


@njit(cache=True, nogil=True)
def _count_edges(points, count, out):  # type: ignore[no-untyped-def]
    """The "" that re.split leaves before a leading and after a trailing newline."""
    edges = 0
    if count == 0 or points[0] == _NEWLINE:
        edges += 1
    if count > 0 and points[count - 1] == _NEWLINE:
        edges += 1
    out[_TEXT_LINES] += edges
    out[_TEXT_LINES + 1] += max(0, edges - 1)


@njit(cache=True, nogil=True)
def measure_text_lines(  # type: ignore[no-untyped-def]
    points,
    count,
    classes,
    flags,
    tokens,
    starts,
    kinds,
    keys,
    stamps,
    stamp,
    mask,
    out,
):
    """Lines between newlines: duplicates (Gopher, FineWeb), punctuation and length (FineWeb)."""
    _count_edges(points, count, out)
    start = 0
    token = 0
    while start < count:
        stop = start
        while stop < count and points[stop] != _NEWLINE:
            stop += 1
        blank = True
        words = 0.0
        while token < tokens and starts[token] < stop:
            blank = False
            if not kinds[token] & PUNCTUATED:
                words += word_weight(kinds[token])
            token += 1
        if stop > start:
            if not blank:
                _measure_full_line(points, start, stop, classes, flags, out)
            key = span_hash(points, start, stop)
            slot = find_slot(keys, stamps, stamp, mask, key)
            _count_line(stamps[slot] == stamp, blank, words >= _LINE_WORDS, stop - start, out)
            keys[slot] = key
            stamps[slot] = stamp
        start = stop + 1


@njit(cache=True, nogil=True)
def measure_paragraphs(points, count, classes, keys, stamps, stamp, mask, out):  # type: ignore[no-untyped-def]
    """Paragraphs between blank lines of the stripped text, and their duplicates."""
    left, right = 0, count
    while left < right and classes[points[left]] == SPACE:
        left += 1
    while right > left and classes[points[right - 1]] == SPACE:
        right -= 1
    start = left
    while start < right:
        stop = start
        while stop < right and not (points[stop] == _NEWLINE and points[stop + 1] == _NEWLINE):
            stop += 1
        out[_PARAGRAPHS] += 1
        key = span_hash(points, start, stop)
        slot = find_slot(keys, stamps, stamp, mask, key)
        if stamps[slot] == stamp:
            out[_PARAGRAPHS + 1] += 1
            out[_PARAGRAPHS + 2] += stop - start
        keys[slot] = key
        stamps[slot] = stamp
        while stop < right and points[stop] == _NEWLINE:
            stop += 1
        start = stop
