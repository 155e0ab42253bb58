"""Seeded texts with planted duplicates, and plain-Python references for Jaccard similarity."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from etl.dedup.alphabet import units

HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]


def shingle_set(text: str, ngram: int = 5) -> frozenset[tuple[str, ...]]:
    found = units(text)
    size = min(len(found), ngram)
    runs = range(len(found) - size + 1) if size else range(0)
    return frozenset(tuple(found[start : start + size]) for start in runs)


def jaccard(left: str, right: str, ngram: int = 5) -> float:
    one, two = shingle_set(left, ngram), shingle_set(right, ngram)
    return len(one & two) / len(one | two) if one | two else 0.0


@dataclass
class Planted:
    """Rows (id, text), and the pairs of ids that were planted as near and as exact copies."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    near: list[tuple[str, str]] = field(default_factory=list)
    exact: list[tuple[str, str]] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)


class Texts:
    """Words and sentences from one seed; English-like, or Han characters without spaces."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = [
            "".join(self.random.choices(letters, k=self.random.randint(2, 9))) for _ in range(4000)
        ]

    def english(self, words: int = 250) -> str:
        return " ".join(self.random.choices(self.words, k=words))

    def chinese(self, characters: int = 400) -> str:
        return "".join(self.random.choices(HAN, k=characters))

    def edited(self, text: str, edits: int) -> str:
        """`edits` words (or Han characters) replaced."""
        spaced = " " in text
        parts = text.split() if spaced else list(text)
        for _ in range(edits):
            where = self.random.randrange(len(parts))
            parts[where] = self.random.choice(self.words if spaced else HAN)
        return (" " if spaced else "").join(parts)

    def planted(self, documents: int) -> Planted:
        """A tenth each exact copies, near copies and pages of one template; the rest is new."""
        found = Planted()
        boilerplate = self.english(120)
        originals: list[tuple[str, str]] = []
        for number in range(documents):
            name, kind = f"d{number:05d}", number % 10
            if kind == 7 and originals:
                source, text = self.random.choice(originals)
                found.exact.append((source, name))
                text = text.upper().replace(" ", "  ") + "\n"
            elif kind == 8 and originals:
                source, text = self.random.choice(originals)
                found.near.append((source, name))
                text = self.edited(text, 3)
            elif kind == 9:
                text = f"{boilerplate} {self.english(130)}"
                found.templates.append(name)
            else:
                text = self.chinese() if kind % 2 else self.english()
                originals.append((name, text))
            found.rows.append((name, text))
        return found


@pytest.fixture
def texts(seed: int) -> Texts:
    return Texts(seed)


@pytest.fixture(scope="session")
def similarity() -> Callable[..., float]:
    return jaccard


@pytest.fixture(scope="session")
def shingles() -> Callable[..., frozenset[tuple[str, ...]]]:
    return shingle_set
