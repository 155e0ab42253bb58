"""Sentences from a bank: a small grammar per language, written for this project (`prose/*.yaml`).

A template's `{slot}` is filled from the list of that name, without repeating an entry on a page
before all were used. A capitalised slot is bound once a page, so that a page has one subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

_SLOT = re.compile(r"\{(\w+)\}")
_FOLDER = Path(__file__).parent / "prose"
LANGUAGES = (
    "eng", "cmn_Hans", "cmn_Hant", "deu", "fra", "spa", "ita", "por", "nld", "rus", "pol", "jpn",
    "kor",
)  # fmt: skip
UNSPACED = ("cmn_Hans", "cmn_Hant", "jpn")


@dataclass(frozen=True, slots=True)
class Bank:
    """The sentences of one language, by section, and the fillers of its slots."""

    language: str
    sections: Mapping[str, tuple[str, ...]]
    slots: Mapping[str, tuple[str, ...]]

    def pairs(self, section: str) -> list[tuple[str, str]]:
        """The lines of a section whose lines are KIND, tab, TEMPLATE."""
        lines = self.sections.get(section, ())
        return [(kind, text) for kind, text in (line.split("\t", 1) for line in lines)]


@cache
def load_bank(language: str) -> Bank:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is twenty times faster
    text = (_FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    data = yaml.load(text, loader)  # noqa: S506 - either of the two safe loaders
    slots = {name: tuple(lines.splitlines()) for name, lines in data.pop("slots").items()}
    return Bank(language, {name: tuple(v.splitlines()) for name, v in data.items()}, slots)


class Composer:
    """Writes one page: what it is about is drawn from `rng` when it is made."""

    def __init__(self, language: str, rng: Random) -> None:
        self.bank = load_bank(language)
        self._rng = rng
        self._bound = {n: rng.choice(v) for n, v in self.bank.slots.items() if n[0].isupper()}
        self._decks: dict[str, list[str]] = {}
        self._templates = rng.sample(
            self.bank.sections["sentences"], len(self.bank.sections["sentences"])
        )

    def title(self) -> str:
        return self.fill(self._rng.choice(self.bank.sections["title"]))

    def sentence(self) -> str:
        """The next sentence; a template is used once a page."""
        return self.fill(self._templates.pop())

    def paragraphs(self, sentences: int) -> tuple[tuple[str, ...], ...]:
        """That many sentences (or all there are), in paragraphs of three to five."""
        left = min(sentences, len(self._templates))
        found: list[tuple[str, ...]] = []
        while left:
            size = left if left < 6 else self._rng.randrange(3, 6)
            found.append(tuple(self.sentence() for _ in range(size)))
            left -= size
        return tuple(found)

    def fill(self, template: str, **given: str) -> str:
        text = _SLOT.sub(lambda m: given.get(m.group(1)) or self._filler(m.group(1)), template)
        return text[:1].upper() + text[1:]

    def _filler(self, name: str) -> str:
        if name in self._bound:
            return self._bound[name]
        if name == "year":
            return str(self._rng.randrange(1871, 2020))
        if name == "n":  # ends in 5 to 9 or 0: the genitive plural is right in Slavic languages
            return str(10 * self._rng.randrange(2, 48) + self._rng.choice((0, 5, 6, 7, 8, 9)))
        if name == "small":
            return str(self._rng.randrange(2, 10))
        deck = self._decks.get(name)
        if not deck:
            values = self.bank.slots[name]
            deck = self._decks[name] = self._rng.sample(values, len(values))
        return deck.pop()


def join_sentences(language: str, sentences: tuple[str, ...]) -> str:
    return ("" if language in UNSPACED else " ").join(sentences)
