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
from schemas.identity import UNKNOWN_LICENCE
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
    texts: Sequence[str | None],
    languages: Sequence[str | None],
    config: FilterConfig,
    licences: Sequence[str | None] | None = None,
) -> Judgement:
    """Decides every text (None counts as empty). `languages` holds codes like `cmn_Hans`, or None.

    `licences` is None for rows that carry no licence at all: the licence rules then do not apply.
    """
    kept = [text or "" for text in texts]
    licence = _judge_licences(licences, config, len(kept))
    quality = _judge_quality(kept, languages, config)
    return replace(
        quality,
        rules=(*licence.rules, *quality.rules),
        scores=np.hstack([licence.scores, quality.scores]),
        thresholds=np.hstack([licence.thresholds, quality.thresholds]),
        failed=np.hstack([licence.failed, quality.failed]),
    )


def _judge_licences(
    licences: Sequence[str | None] | None, config: FilterConfig, rows: int
) -> Judgement:
    if licences is None:
        none = np.zeros((rows, 0))
        return Judgement([], (), none, none, none.astype(np.bool_))
    forbidden = {licence.lower() for licence in config.licences_forbidden}
    names = [(licence or UNKNOWN_LICENCE).lower() for licence in licences]
    scores = np.array(
        [[float(name in forbidden), float(name == UNKNOWN_LICENCE)] for name in names]
    ).reshape(rows, 2)
    # A score of 1 means "is forbidden", "is unknown"; an allowed unknown is never above 1.
    unknown = 0.0 if config.licence_unknown == "reject" else 1.0
    thresholds = np.tile([0.0, unknown], (rows, 1))
    rules = ("licence.forbidden", "licence.unknown")
    return Judgement([], rules, scores, thresholds, scores > thresholds)


def _judge_quality(
    texts: list[str], languages: Sequence[str | None], config: FilterConfig
) -> Judgement:
    rules = RULES[config.profile]
    if not rules:
        none = np.zeros((len(texts), 0))
        return Judgement(texts, (), none, none, none.astype(np.bool_))
    own = config.profile == "default"
    if config.profile == "c4":
        texts, extra = clean_batch(texts)
    else:
        extra = placeholder_text(texts) if own else {}
    statistics = measure(pa.array(texts, pa.large_string()), languages, multilingual=own)
    statistics = replace(statistics, extra=extra)
    scores = np.empty((len(texts), len(rules)))
    thresholds = np.empty_like(scores)
    failed = np.zeros(scores.shape, np.bool_)
    for place, rule in enumerate(rules):
        scores[:, place] = rule.score(statistics)
        thresholds[:, place] = rule.thresholds(statistics, config.thresholds.get(rule.id))
        failed[:, place] = rule.failed(scores[:, place], thresholds[:, place])
    return Judgement(texts, tuple(rule.id for rule in rules), scores, thresholds, failed)
