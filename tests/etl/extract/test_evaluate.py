"""The article metric against values worked out by hand."""

from __future__ import annotations

import pytest

from etl.extract.evaluate import article_score, shingles


def test_shingles_count_repetition_and_short_texts() -> None:
    assert shingles("a b c d e") == {("a", "b", "c", "d"): 1, ("b", "c", "d", "e"): 1}
    assert shingles("a b") == {("a", "b"): 1}
    assert shingles("...") == {}


def test_score_is_f1_of_mean_precision_and_mean_recall() -> None:
    # Page 1: both shingles of the truth and one more; page 2: nothing extracted.
    score = article_score([("a b c d e", "a b c d e f"), ("x y z w", "")])
    assert score.precision == pytest.approx(2 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert score.f1 == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert score.pages == 2


def test_nothing_scores_nothing() -> None:
    assert article_score([]).f1 == 0
