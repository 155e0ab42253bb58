"""Scores, thresholds and failures of a batch, as the Arrow columns that a verdict consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.filter.c4 import clean_batch, placeholder_text
from etl.filter.config import FilterConfig
from etl.filter.rules import RULES
from etl.filter.statistics import measure
from schemas.tables import REASONS, SCORES

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A batch decided: `texts` as they go on, and one row a document, one column a rule.

    `scores` is NaN where a rule does not apply. `failed` marks the rules that reject.
    """

    texts: list[str]
    rules: tuple[str, ...]
    scores: Matrix
    thresholds: Matrix
    failed: NDArray[np.bool_]

    @property
    def rejected(self) -> NDArray[np.bool_]:
        return np.asarray(self.failed.any(axis=1), np.bool_)

    def score_lists(self) -> pa.Array:
        """Arrow list<struct<rule, score>>: every score that was computed."""
        where = ~np.isnan(self.scores)
        return _lists(where, self.rules, {"score": self.scores}, SCORES)

    def reason_lists(self) -> pa.Array:
        """Arrow list<struct<rule, score, threshold>>: the rules that failed, in rule order."""
        values = {"score": self.scores, "threshold": self.thresholds}
        return _lists(self.failed, self.rules, values, REASONS)


def _lists(
    where: NDArray[np.bool_], rules: Sequence[str], values: dict[str, Matrix], kind: pa.DataType
) -> pa.Array:
    counts = where.sum(axis=1) if len(rules) else np.zeros(len(where), np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    columns = [pa.array(list(rules), pa.string()).take(pa.array(np.nonzero(where)[1]))]
    columns += [pa.array(matrix[where], pa.float64()) for matrix in values.values()]
    rows = pa.StructArray.from_arrays(columns, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), rows).cast(kind)


def judge(
    texts: Sequence[str | None], languages: Sequence[str | None], config: FilterConfig
) -> Judgement:
    """Decides every text (None counts as empty). `languages` holds codes (`cmn_Hans`) or None."""
    kept = [text or "" for text in texts]
    rules = RULES[config.profile]
    if not rules:
        none = np.zeros((len(kept), 0))
        return Judgement(kept, (), none, none, none.astype(np.bool_))
    own = config.profile == "default"
    if config.profile == "c4":
        kept, extra = clean_batch(kept)
    else:
        extra = placeholder_text(kept) if own else {}
    statistics = measure(pa.array(kept, pa.large_string()), languages, multilingual=own)
    statistics = replace(statistics, extra=extra)
    scores = np.empty((len(kept), len(rules)))
    thresholds = np.empty_like(scores)
    failed = np.zeros(scores.shape, np.bool_)
    for place, rule in enumerate(rules):
        scores[:, place] = rule.score(statistics)
        thresholds[:, place] = rule.thresholds(statistics, config.thresholds.get(rule.id))
        failed[:, place] = rule.failed(scores[:, place], thresholds[:, place])
    return Judgement(kept, tuple(rule.id for rule in rules), scores, thresholds, failed)
