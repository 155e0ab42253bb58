"""Scores of extracted text against the text that people marked as the article.

Precision and recall are of 4-word shingles with their counts, averaged over pages; F1 is of the two
means. Source: github.com/scrapinghub/article-extraction-benchmark, whose definition this follows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the pages, each from 0 to 1."""

    f1: float
    precision: float
    recall: float
    pages: int


def shingles(text: str, size: int = 4) -> Counter[tuple[str, ...]]:
    """The word n-grams of a text and how often each occurs; of a shorter text, the text itself."""
    words = _WORD.findall(text)
    starts = range(max(1, len(words) - size + 1)) if words else range(0)
    return Counter(tuple(words[start : start + size]) for start in starts)


def article_score(pairs: Iterable[tuple[str, str]]) -> Score:
    """Scores (truth, extracted) pairs. A page where nothing was extracted has no precision."""
    precisions: list[float] = []
    recalls: list[float] = []
    pages = 0
    for truth, extracted in pairs:
        wanted, found = shingles(truth), shingles(extracted)
        common = (wanted & found).total()
        pages += 1
        if found:
            precisions.append(common / found.total())
        if wanted:
            recalls.append(common / wanted.total())
    precision = fmean(precisions) if precisions else 0.0
    recall = fmean(recalls) if recalls else 0.0
    both = precision + recall
    return Score(2 * precision * recall / both if both else 0.0, precision, recall, pages)
