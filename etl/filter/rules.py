"""The rules: what each measures, which way it decides, and its threshold in each profile.

A rule has a stable id, a score for every document it applies to, and one threshold. Where a rule
does not apply to a document (the function words of a language without a list, say) it has no
score and cannot reject. Thresholds are those of datatrove 0.10.1. Sources: Gopher (Rae et al.
2021, arXiv 2112.11446, A.1.1 and table A1), C4 (Raffel et al. 2020, JMLR 21/140), FineWeb
(Penedo et al. 2024, arXiv 2406.17557), FineWeb2 (Penedo et al. 2025, arXiv 2506.20920).

Profiles `gopher`, `c4` and `fineweb` are the published English rules. Profile `default` uses all
families for any language and deviates, for these reasons:

- `gopher.mean_word_length*`: measured on words of scripts with spaces, where these are at least
  half the words; combining marks do not count and a Hangul syllable counts twice. Otherwise good
  Chinese, Thai, Korean and Malayalam fail on the width of their script.
- `gopher.alphabetic_words`: punctuation marks are not words, so that dialogue, formulas and
  Markdown do not fail on their commas.
- `gopher.stop_words`: the function words of the document's own language (`etl.filter.languages`).
- `repetition.top_*`: an n-gram that occurs once is no repetition. (datatrove counts it, so that an
  eight-word sentence fails; the profile `gopher` keeps that.)
- `repetition.*_gram`: n-grams of words, without punctuation marks (table rules and code fences are
  not prose that repeats); in scripts without spaces they span as many characters as words have.
- `repetition.duplicate_line*`, `fineweb.duplicate_line_characters`: of lines with three words or
  more; a short label may come again. The latter's threshold is 0.1, FineWeb2's value: 0.01 drops
  a page for one repeated caption.
- `c4.*`: no line is removed, so the text stays whole; of the document rules, `c4.curly_bracket`
  is left out (it drops every page with code) and `c4.sentences` asks for 3, over all lines that
  hold three words.
- `fineweb.line_punctuation`: of lines of prose (wider than 30 columns, no list item, table row or
  heading); closing quotes and brackets may follow the full stop.
- `fineweb.short_lines`: measured in display columns, a Chinese character being two wide, and 0.8
  (FineWeb2 turns it off; pages that are nothing but a menu should still go).
- Carriage returns are left out, so that CRLF does not make every blank line a repeated one.
- Sentence and punctuation rules do not apply to languages that end sentences with a space (Thai,
  Lao), whether the language is named or most words are of such a script.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from etl.filter.c4 import LINE_RULES
from etl.filter.columns import DUPLICATE_NGRAMS, TOP_NGRAMS, Column
from etl.filter.languages import MEAN_WORD_LENGTH_MINIMUM, UNPUNCTUATED, languages
from etl.filter.statistics import Statistics

Scores = NDArray[np.float64]
Profile = Literal["default", "gopher", "c4", "fineweb", "none"]
PROFILES: tuple[Profile, ...] = ("default", "gopher", "c4", "fineweb", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `score` maps a batch to one value a document; NaN where it does not apply.

    A document fails when its score is below the threshold (`fails="below"`) or above it.
    `by_language` replaces the threshold for some languages, in the profile `default` only.
    """

    id: str
    score: Callable[[Statistics], Scores]
    fails: Literal["below", "above"]
    threshold: float
    by_language: tuple[tuple[str, float], ...] = ()

    def thresholds(self, statistics: Statistics, override: float | None) -> Scores:
        """The threshold of each document."""
        if override is not None or not self.by_language:
            value = self.threshold if override is None else override
            return np.full(len(statistics.values), value)
        special = dict(self.by_language)
        return np.array([special.get(code, self.threshold) for code in statistics.language])

    def failed(self, scores: Scores, thresholds: Scores) -> NDArray[np.bool_]:
        return scores < thresholds if self.fails == "below" else scores > thresholds


def ratio(part: Scores, whole: Scores) -> Scores:
    """part / whole; 0 where there is nothing to divide by (an empty text)."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _share(part: Column, whole: Column) -> Callable[[Statistics], Scores]:
    return lambda statistics: ratio(statistics[part], statistics[whole])


def _where(applies: NDArray[np.bool_], scores: Scores) -> Scores:
    return np.where(applies, scores, np.nan)


def _symbols(statistics: Statistics) -> Scores:
    most = np.maximum(statistics[Column.HASHES], statistics[Column.ELLIPSES])
    return ratio(most, statistics[Column.TOKENS])


def _spaced_word_length(statistics: Statistics) -> Scores:
    spaced = statistics[Column.SPACED_WORDS]
    mostly = (spaced > 0) & (2 * spaced >= statistics[Column.WORDS])
    return _where(mostly, ratio(statistics[Column.SPACED_LETTERS], spaced))


def _own_stop_words(statistics: Statistics) -> Scores:
    listed = set(languages()) | {""}
    applies = np.array([code in listed for code in statistics.language], np.bool_)
    return _where(applies, statistics[Column.STOP_WORDS])


def _punctuated(statistics: Statistics) -> NDArray[np.bool_]:
    named = np.array([code not in UNPUNCTUATED for code in statistics.language], np.bool_)
    return named & (2 * statistics[Column.UNSPACED_WORDS] <= statistics[Column.WORDS])


def _sentence_lines(statistics: Statistics) -> Scores:
    prose = statistics[Column.PROSE_LINES]
    share = ratio(statistics[Column.SENTENCE_PROSE_LINES], prose)
    return _where(_punctuated(statistics) & (prose > 0), share)


def _own_sentences(statistics: Statistics) -> Scores:
    return _where(_punctuated(statistics), statistics[Column.SENTENCES])


def _duplicate_line_characters(column: Column) -> Callable[[Statistics], Scores]:
    def score(statistics: Statistics) -> Scores:
        without_newlines = statistics[Column.CHARACTERS] - statistics[Column.NEWLINES]
        return ratio(statistics[column], without_newlines)

    return score


def _below(rule: str, threshold: float, score: Callable[[Statistics], Scores]) -> Rule:
    return Rule(id=rule, score=score, fails="below", threshold=threshold)


def _above(rule: str, threshold: float, score: Callable[[Statistics], Scores]) -> Rule:
    return Rule(id=rule, score=score, fails="above", threshold=threshold)


def _count(column: Column) -> Callable[[Statistics], Scores]:
    return lambda statistics: statistics[column]


_LENGTH = (
    _below("gopher.word_count", 50, _count(Column.WORDS)),
    _above("gopher.word_count_max", 100_000, _count(Column.WORDS)),
)
_LINES = (
    _above("gopher.symbol_ratio", 0.1, _symbols),
    _above("gopher.bullet_lines", 0.9, _share(Column.BULLET_LINES, Column.LINES)),
    _above("gopher.ellipsis_lines", 0.3, _share(Column.ELLIPSIS_LINES, Column.LINES)),
)
_WORD_LENGTH = _share(Column.WORD_CHARACTERS, Column.WORDS)
GOPHER_QUALITY = (
    *_LENGTH,
    _below("gopher.mean_word_length", 3, _WORD_LENGTH),
    _above("gopher.mean_word_length_max", 10, _WORD_LENGTH),
    *_LINES,
    _below("gopher.alphabetic_words", 0.8, _share(Column.ALPHABETIC_WORDS, Column.TOKENS)),
    _below("gopher.stop_words", 2, _count(Column.ENGLISH_STOP_WORDS)),
)
DEFAULT_QUALITY = (
    *_LENGTH,
    Rule(
        id="gopher.mean_word_length",
        score=_spaced_word_length,
        fails="below",
        threshold=3,
        by_language=tuple(sorted(MEAN_WORD_LENGTH_MINIMUM.items())),
    ),
    _above("gopher.mean_word_length_max", 10, _spaced_word_length),
    *_LINES,
    _below("gopher.alphabetic_words", 0.8, _share(Column.ALPHABETIC_WORDS, Column.WORDS)),
    _below("gopher.stop_words", 2, _own_stop_words),
)


def _ngram(first: Column, place: int) -> Callable[[Statistics], Scores]:
    return lambda statistics: ratio(
        statistics.values[:, first + place], statistics[Column.CHARACTERS]
    )


_TOP_THRESHOLDS = (0.20, 0.18, 0.16)
_DUPLICATE_THRESHOLDS = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)


def _repetition(lines: tuple[Column, Column, Column]) -> tuple[Rule, ...]:
    """Gopher's repetition rules; `lines` are the columns of all lines, repeated ones, their size"""
    every, repeated, characters = lines
    paragraphs, text = Column.PARAGRAPHS, Column.CHARACTERS
    return (
        _above("repetition.duplicate_paragraphs", 0.3,
               _share(Column.DUPLICATE_PARAGRAPHS, paragraphs)),
        _above("repetition.duplicate_paragraph_characters", 0.2,
               _share(Column.DUPLICATE_PARAGRAPH_CHARACTERS, text)),
        _above("repetition.duplicate_lines", 0.3, _share(repeated, every)),
        _above("repetition.duplicate_line_characters", 0.2, _share(characters, text)),
        *(
            _above(f"repetition.top_{size}_gram", limit, _ngram(Column.TOP_NGRAM, place))
            for place, (size, limit) in enumerate(zip(TOP_NGRAMS, _TOP_THRESHOLDS, strict=True))
        ),
        *(
            _above(f"repetition.duplicate_{size}_gram", limit,
                   _ngram(Column.DUPLICATE_NGRAM, place))
            for place, (size, limit) in enumerate(
                zip(DUPLICATE_NGRAMS, _DUPLICATE_THRESHOLDS, strict=True)
            )
        ),
    )  # fmt: skip


REPETITION = _repetition(
    (Column.TEXT_LINES, Column.DUPLICATE_LINES, Column.DUPLICATE_LINE_CHARACTERS)
)
DEFAULT_REPETITION = _repetition(
    (Column.WORDY_LINES, Column.DUPLICATE_WORDY_LINES, Column.DUPLICATE_WORDY_LINE_CHARACTERS)
)


def _line_count(name: str) -> Callable[[Statistics], Scores]:
    """A column that the C4 line pass adds (`etl.filter.c4`)."""
    return lambda statistics: statistics.extra[name]


C4_LINES = tuple(_above(f"c4.{name}", 1.0, _line_count(name)) for name in LINE_RULES)
"""Share of lines that each line rule removed. At 1 they never reject a document by themselves."""
C4_DOCUMENT = (
    _above("c4.lorem_ipsum", 0, _line_count("lorem_ipsum")),
    _above("c4.curly_bracket", 0, _line_count("curly_bracket")),
    _below("c4.sentences", 5, _count(Column.SENTENCES)),
)
DEFAULT_C4 = (
    _above("c4.lorem_ipsum", 0, _line_count("lorem_ipsum")),
    _below("c4.sentences", 3, _own_sentences),
)
_NEWLINES = _above("fineweb.newlines_per_word", 0.3, _share(Column.NEWLINES, Column.TOKENS))
FINEWEB = (
    _below("fineweb.line_punctuation", 0.12, _share(Column.PUNCTUATED_LINES, Column.FULL_LINES)),
    _above("fineweb.short_lines", 0.67, _share(Column.SHORT_LINES, Column.FULL_LINES)),
    _above(
        "fineweb.duplicate_line_characters",
        0.01,
        _duplicate_line_characters(Column.DUPLICATE_FULL_LINE_CHARACTERS),
    ),
    _NEWLINES,
)
DEFAULT_FINEWEB = (
    _below("fineweb.line_punctuation", 0.12, _sentence_lines),
    _above("fineweb.short_lines", 0.8, _share(Column.NARROW_LINES, Column.FULL_LINES)),
    _above(
        "fineweb.duplicate_line_characters",
        0.1,
        _duplicate_line_characters(Column.DUPLICATE_WORDY_LINE_CHARACTERS),
    ),
    _NEWLINES,
)

RULES: dict[Profile, tuple[Rule, ...]] = {
    "default": (*DEFAULT_QUALITY, *DEFAULT_REPETITION, *DEFAULT_C4, *DEFAULT_FINEWEB),
    "gopher": (*GOPHER_QUALITY, *REPETITION),
    "c4": (*C4_LINES, *C4_DOCUMENT),
    "fineweb": FINEWEB,
    "none": (),
}
