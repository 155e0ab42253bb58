"""The columns of the statistics of a document."""

from __future__ import annotations

from enum import IntEnum

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)


class Column(IntEnum):
    """Columns of the statistics: counts, in words (weighted by script) or characters."""

    CHARACTERS = 0
    TOKENS = 1  # words and punctuation marks
    WORDS = 2
    WORD_CHARACTERS = 3
    ALPHABETIC_WORDS = 4
    SPACED_WORDS = 5  # words of scripts with spaces
    SPACED_LETTERS = 6  # their letters: combining marks not counted, a Hangul syllable twice
    HASHES = 7
    ELLIPSES = 8
    LINES = 9  # as str.splitlines
    BULLET_LINES = 10
    ELLIPSIS_LINES = 11
    SENTENCES = 12
    ENGLISH_STOP_WORDS = 13
    STOP_WORDS = 14  # of the document's language; of any, the most, where it is not known
    PARAGRAPHS = 15  # between blank lines
    DUPLICATE_PARAGRAPHS = 16
    DUPLICATE_PARAGRAPH_CHARACTERS = 17
    TEXT_LINES = 18  # between runs of newlines
    DUPLICATE_LINES = 19
    DUPLICATE_LINE_CHARACTERS = 20
    FULL_LINES = 21  # lines that are not blank
    PUNCTUATED_LINES = 22
    SENTENCE_LINES = 23  # the same, closing quotes and trailing spaces set aside
    SHORT_LINES = 24
    NARROW_LINES = 25  # the same in display columns
    DUPLICATE_FULL_LINE_CHARACTERS = 26
    NEWLINES = 27
    UNSPACED_WORDS = 28
    TOP_NGRAM = 29  # three columns: 2, 3, 4
    DUPLICATE_NGRAM = 32  # six columns: 5 to 10
    WORDY_LINES = 38  # lines of at least three words
    DUPLICATE_WORDY_LINES = 39
    DUPLICATE_WORDY_LINE_CHARACTERS = 40
    PROSE_LINES = 41  # neither narrow nor a list item, table row or heading
    SENTENCE_PROSE_LINES = 42  # those of them that end a sentence
    COLUMNS = 43
