"""Presidio's analyser, shown only the pieces of a text that can hold personal data.

Running every recogniser over every text is slow, and nearly all text holds nothing. A pattern of
necessary conditions (an "@", seven digits, a known prefix...) finds suspicious places; the pieces
around them, joined by barriers, are what the analyser sees. The findings are those of the analyser
on the whole text: no recogniser matches further than a piece reaches.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.scrub.config import PRIORITY, ScrubConfig
from etl.scrub.normalise import BARRIER, hide_placeholders, normalise

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

_BEFORE, _AFTER = 96, 288
"""Characters around a suspicious place: an address has at most 64 before and 255 after its "@"."""

MAX_ROUNDS = 64

_SUSPICIOUS = tuple(
    # One pattern a kind, each with a literal or a class first: `re` skips fast to those, and an
    # alternation of them all is five times slower.
    re.compile(pattern)
    for pattern in (
        "@",
        r"[\[({]\s?[aA][tT]\s?[\])}]",
        r"\d(?:[ .()/-]{0,3}\d){6,40}",
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",
        r":[0-9A-Fa-f]{0,4}:",
        r"[A-Z]{2}\d\d[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}",
        r"A[KS]IA",
        r"AIza",
        r"gh[pousr]_",
        r"github_pat_",
        r"glpat-",
        r"xox[abeoprs]-",
        r"sk-",
        r"[rs]k_(?:live|test)_",
        r"hf_",
        r"npm_",
        r"(?i:aws_secret_access_key)",
        r"eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,1000}",
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,12000}"
        r"-----END [A-Z ]{0,40}PRIVATE KEY-----",
    )
)
_JOINT = f"\n{BARRIER}\n"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Personal data at text[start:end] (code points of the text before masking)."""

    start: int
    end: int
    entity: str
    score: float


class ScrubError(ValueError):
    """A text that goes on holding more after `MAX_ROUNDS` rounds of masking."""


@contextmanager
def _without_torch() -> Iterator[None]:
    """Presidio and spaCy import torch where it is installed, and use it for models only.

    There is no model here, and importing torch takes 8 of 12 seconds in every worker.
    """
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules["torch"]


@functools.cache
def analyser() -> AnalyzerEngine:
    """The engine with this package's recognisers and no language model. Built once a process."""
    with _without_torch():
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NoOpNlpEngine

        from etl.scrub.recognisers import recognisers

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    # Given an engine, Presidio does not fetch its default language model.
    engine = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    registry = RecognizerRegistry(recognizers=recognisers(), supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def _analyse(text: str, config: ScrubConfig) -> list[Finding]:
    results = analyser().analyze(
        text, "en", entities=list(config.entities), score_threshold=config.minimum_score
    )
    return [Finding(found.start, found.end, found.entity_type, found.score) for found in results]


def _resolve(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that do not overlap: the higher score, then the longer, then the more specific."""
    kept: list[Finding] = []
    order = sorted(
        findings,
        key=lambda found: (
            -found.score,
            found.start - found.end,
            PRIORITY.index(found.entity),
            found.start,
        ),
    )
    taken: set[int] = set()
    for found in order:
        span = range(found.start, found.end)
        if taken.isdisjoint(span):
            taken.update(span)
            kept.append(found)
    return sorted(kept)


def _windows(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Suspicious places, and the pieces around them, merged where they touch."""
    places = sorted(
        match.span() for pattern in _SUSPICIOUS for match in pattern.finditer(text)
    )  # fmt: skip
    pieces: list[tuple[int, int]] = []
    for start, end in places:
        left, right = max(0, start - _BEFORE), min(len(text), end + _AFTER)
        if pieces and left <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(right, pieces[-1][1]))
        else:
            pieces.append((left, right))
    return places, pieces


def _suspicious(text: str, config: ScrubConfig) -> list[Finding]:
    """What the analyser finds in the pieces of normalised `text`, at their place in it."""
    places, pieces = _windows(text)
    if not pieces:
        return []
    joined = _JOINT.join(text[start:end] for start, end in pieces)
    found: list[Finding] = []
    results = sorted(_analyse(joined, config))
    at, place, index = 0, 0, 0
    for start, end in pieces:
        until = at + end - start
        while index < len(results) and results[index].start < until:
            result = results[index]
            index += 1
            moved = Finding(
                result.start - at + start, result.end - at + start, result.entity, result.score
            )
            # At the cut edge of a piece a fragment may look like more than it is: what holds no
            # suspicious place is such a fragment.
            while place < len(places) and places[place][1] <= moved.start:
                place += 1
            if place < len(places) and places[place][0] < moved.end:
                found.append(moved)
        at = until + len(_JOINT)
    return found


def find(text: str, config: ScrubConfig, *, whole: bool = False) -> list[Finding]:
    """Personal data in `text`, in order, without overlaps. Placeholders already there are skipped.

    Masking one finding may bare another beside it, so the search goes on until there is none:
    masked text holds nothing more to find. `whole` shows the analyser the whole text at once (the
    reference that the tests compare with). Raises `ScrubError` when there is no end to it: such a
    text was made to resist, and must not pass as masked.
    """
    hidden = hide_placeholders(normalise(text))
    search = _analyse if whole else _suspicious
    findings: list[Finding] = []
    for _ in range(MAX_ROUNDS):
        fresh = _resolve(search(hidden, config))
        if not fresh:
            return sorted(findings)
        findings += fresh
        pieces, at = [], 0
        for found in fresh:
            pieces += [hidden[at : found.start], BARRIER * (found.end - found.start)]
            at = found.end
        hidden = "".join([*pieces, hidden[at:]])
    raise ScrubError(f"personal data is still found after {MAX_ROUNDS} rounds of masking")
