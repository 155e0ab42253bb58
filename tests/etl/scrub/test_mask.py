"""Recall and precision on a labelled set, and the promises that masking makes about any text."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.scrub.analyser import ScrubError, find
from etl.scrub.config import PLACEHOLDERS, ScrubConfig
from etl.scrub.mask import scrub
from etl.scrub.normalise import normalise

_spec = importlib.util.spec_from_file_location("labelled", Path(__file__).with_name("labelled.py"))
assert _spec is not None
assert _spec.loader is not None
labelled = importlib.util.module_from_spec(_spec)
__import__("sys").modules["labelled"] = labelled
_spec.loader.exec_module(labelled)

CONFIG = ScrubConfig()


def test_recall_and_precision_on_the_labelled_set(seed: int) -> None:
    planted: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for sample in labelled.labelled_set(seed):
        _, findings = scrub(sample.text, CONFIG)
        found = [(f.entity, sample.text[f.start : f.end]) for f in findings]
        planted.update(entity for entity, _ in sample.truth)
        caught.update(entity for entity, value in sample.truth if (entity, value) in found)
        claimed.update(entity for entity, _ in found)
        right.update(entity for entity, value in found if (entity, value) in sample.truth)
    assert set(planted) == set(labelled.MAKERS)
    for entity in planted:
        recall, precision = caught[entity] / planted[entity], right[entity] / claimed[entity]
        assert recall >= 0.95, (entity, recall)
        assert precision >= 0.90, (entity, precision)


def test_the_prefilter_finds_what_the_whole_analyser_finds(seed: int) -> None:
    rng = random.Random(seed)
    samples = labelled.labelled_set(seed + 1, per_entity=12)
    rng.shuffle(samples)
    padding = "The quick brown fox jumps over 13 lazy dogs. 天地玄黄，宇宙洪荒。 "
    for start in range(0, len(samples), 4):
        texts = [sample.text for sample in samples[start : start + 4]]
        text = (padding * rng.randrange(12)).join(texts)
        assert find(text, CONFIG) == find(text, CONFIG, whole=True)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("a@b.com, A@B.com and c@b.com", "[EMAIL_1], [EMAIL_1] and [EMAIL_2]"),
        ("电话13800138000，+86 138 0013 8000", "电话[PHONE_1]，[PHONE_1]"),
        ("see [EMAIL_7] or d@e.org", "see [EMAIL_7] or [EMAIL_8]"),
        ("邮箱zhang@example.com联系", "邮箱[EMAIL_1]联系"),
        ("Nora is at +44 7700 900727 on weekdays", "Nora is at [PHONE_1] on weekdays"),
        ("order +44 7700 900727", "order +44 7700 900727"),
        ("grew by +12 500 000 people", "grew by +12 500 000 people"),
        ("offset +20 12 34", "offset +20 12 34"),
        ("order 13800138000", "order 13800138000"),
        ("v1.2.3.4 of 1.2.3.4", "v1.2.3.4 of 1.2.3.4"),
        ("server 1.2.3.4", "server [IP_1]"),
        ("身份证11010519491231002X", "身份证[ID_CARD_1]"),
        ("身份证110105194912310021", "身份证110105194912310021"),
        ("4111 1111 1111 1111", "[CARD_1]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("9" * 5000, "9" * 5000),
        ("\x00\x00a@b.com\x00", "\x00\x00[EMAIL_1]\x00"),
    ],
)
def test_hand_worked(text: str, masked: str) -> None:
    assert scrub(text, CONFIG)[0] == masked


def test_a_private_key_is_masked_whole() -> None:
    body = "\n".join("Ab1+" * 16 for _ in range(20))
    kind = "PRIVATE KEY-----"
    text = f"before\n-----BEGIN RSA {kind}\n{body}\n-----END RSA {kind}\nafter"
    assert scrub(text, CONFIG)[0] == "before\n[KEY_1]\nafter"


def test_passports_only_when_asked_for() -> None:
    text = "passport E12345678, part E12345678"
    assert scrub(text, CONFIG)[0] == text
    asked = ScrubConfig(entities=("PASSPORT",))
    assert scrub(text, asked)[0] == "passport [PASSPORT_1], part E12345678"


def test_entities_and_minimum_score_are_obeyed() -> None:
    text = "a@b.com from 10.20.30.40"
    assert scrub(text, ScrubConfig(entities=("IP_ADDRESS",)))[0] == "a@b.com from [IP_1]"
    assert scrub(text, ScrubConfig(minimum_score=0.9))[0] == "[EMAIL_1] from 10.20.30.40"


PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["a@b.com", "13800138000", "+86 138 0013 8000", "1.2.3.4", "10.0.0.9", "::1", "[EMAIL_1]",
         "4111 1111 1111 1111", "DE89370400440532013000", "11010519491231002X", "电话", "order ",
         " ", "\n", "-", ".", "@", "(at)", "[", "]", "+", "_1]", "AKIA", "４", "server "]
    ),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text(text: str) -> None:
    masked, findings = scrub(text, CONFIG)
    assert scrub(masked, CONFIG) == (masked, [])
    ends = [0, *(found.end for found in findings)]
    for found, before in zip(findings, ends, strict=False):
        assert before <= found.start < found.end <= len(text)
        assert found.entity in PLACEHOLDERS
    assert len(normalise(text)) == len(text)


def test_hostile_texts_end_in_linear_time() -> None:
    for text in ("@" * 200_000, "a" * 300_000 + "@", "1 " * 100_000, "1.2." * 50_000,
                 ":" * 100_000, "-----BEGIN PRIVATE KEY-----" * 3000, "[at]" * 40_000):  # fmt: skip
        masked, _ = scrub(text, CONFIG)
        assert masked


def test_a_text_made_to_resist_is_refused_not_passed() -> None:
    with pytest.raises(ScrubError, match="rounds"):
        scrub("+8613800138000" * 400, ScrubConfig(entities=("PHONE_NUMBER",)))


@pytest.mark.parametrize(
    ("settings_", "named"),
    [
        ({"entities": ("NAME",)}, "entities"),
        ({"entities": "PHONE_NUMBER"}, "entities"),
        ({"minimum_score": 0}, "minimum_score"),
        ({"minimum_score": 1.5}, "minimum_score"),
    ],
)
def test_a_bad_config_names_its_field(settings_: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ScrubConfig(**settings_)  # type: ignore[arg-type]
