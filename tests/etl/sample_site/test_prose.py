from __future__ import annotations

import re
from random import Random

import pytest

from etl.sample_site.prose import LANGUAGES, Composer, join_sentences, load_bank

_COMPUTED = {"year", "n", "small"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_slot_of_every_template_can_be_filled(language: str) -> None:
    bank = load_bank(language)
    known = set(bank.slots) | _COMPUTED
    lines = [*bank.sections["sentences"], *bank.sections["title"]]
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert set(re.findall(r"\{(\w+)\}", line)) <= known, line
    for kind, template in [*bank.pairs("pii"), *bank.pairs("hard")]:
        assert kind
        assert ("{pii}" in template) != ("{hard}" in template)
    assert len(bank.sections["labels"]) == 6
    assert len(bank.sections["sentences"]) >= 20


def test_a_page_keeps_its_subject_and_repeats_no_sentence() -> None:
    composer = Composer("eng", Random(4))
    paragraphs = composer.paragraphs(20)
    sentences = [s for p in paragraphs for s in p]
    assert len(sentences) == len(set(sentences)) == 20
    assert all(s[0].isupper() or s[0] == '"' for s in sentences)
    places = {composer.fill("{Place}") for _ in range(5)}
    assert len(places) == 1
    assert places <= set(load_bank("eng").slots["Place"])
    fresh = [composer.fill("{weekday}") for _ in range(7)]
    assert len(set(fresh)) > 1


def test_sentences_are_joined_as_the_script_does() -> None:
    assert join_sentences("eng", ("A.", "B.")) == "A. B."
    assert join_sentences("jpn", ("ア。", "イ。")) == "ア。イ。"
