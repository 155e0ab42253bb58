from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.dedup.alphabet import normalise, units
from etl.dedup.config import DedupConfig, Layout
from etl.dedup.signatures import minima_matrix, permutations, sign_texts, signature_column

MASK = 2**64 - 1
UNIT_PRIME, SHINGLE_PRIME, SALT = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F
LAYOUT = DedupConfig(permutations=32).layout()


def mix64(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def reference_shingles(text: str, ngram: int) -> list[int]:
    """The kernel's shingle hashes in plain Python, each run hashed from scratch."""
    hashes = []
    for unit in units(text):
        value = 0
        for character in unit:
            value = (value + ord(character) + 1) * UNIT_PRIME & MASK
        hashes.append(mix64(value))
    size = min(len(hashes), ngram)
    found = []
    for start in range(len(hashes) - size + 1 if size else 0):
        value = 0
        for unit_hash in hashes[start : start + size]:
            value = (value * SHINGLE_PRIME + unit_hash) & MASK
        found.append(mix64((value + size * SALT) & MASK) >> 32)
    return found


def reference_minima(text: str, layout: Layout) -> list[int]:
    """datasketch's own MinHash over the same shingle hashes."""
    minhash = MinHash(num_perm=layout.permutations, seed=layout.seed, hashfunc=int)
    minhash.update_batch(reference_shingles(text, layout.ngram))
    return [int(value) for value in minhash.hashvalues]


def check(texts: list[str], layout: Layout = LAYOUT) -> None:
    signed = sign_texts(pa.array(texts, pa.string()), layout)
    for row, text in enumerate(texts):
        assert signed.units[row] == len(units(text))
        assert signed.exact[row] == hashlib.sha256(normalise(text).encode()).digest()[:16]
        assert signed.minima[row].tolist() == reference_minima(text, layout)


@given(st.lists(st.text(), max_size=6))
@settings(deadline=None, max_examples=150)
def test_any_text_is_signed_as_datasketch_signs_it(texts: list[str]) -> None:
    check(texts)


_SCRIPTS = st.one_of(
    st.characters(min_codepoint=0x20, max_codepoint=0x24F),
    st.characters(min_codepoint=0x370, max_codepoint=0x6FF),
    st.characters(min_codepoint=0x900, max_codepoint=0x1FFF),
    st.characters(min_codepoint=0x2F00, max_codepoint=0x31FF),
    st.characters(min_codepoint=0x4E00, max_codepoint=0x4EFF),
    st.characters(min_codepoint=0xAC00, max_codepoint=0xAC80),
    st.characters(min_codepoint=0xF900, max_codepoint=0xFFEF, exclude_categories=["Cs"]),
    st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF),
    st.sampled_from(" \t\n\u00a0\u3000\u0301\u200d\u00ad"),
)


@given(st.text(_SCRIPTS, max_size=60))
@settings(deadline=None, max_examples=300)
def test_every_script_is_signed_as_datasketch_signs_it(text: str) -> None:
    check([text])


def test_every_code_point_alone_and_between_letters() -> None:
    points = [chr(c) for c in range(0x32000) if not 0xD800 <= c < 0xE000]
    texts = [f"a{point}b" for point in points]
    signed = sign_texts(pa.array(texts), DedupConfig(permutations=2).layout())
    expected = [hashlib.sha256(normalise(text).encode()).digest()[:16] for text in texts]
    wrong = [texts[row] for row in range(len(texts)) if signed.exact[row] != expected[row]]
    counts = [len(units(text)) for text in texts]
    assert wrong == []
    assert signed.units.tolist() == counts


def test_the_permutations_are_datasketchs() -> None:
    minhash = MinHash(num_perm=128, seed=7)
    a, b = permutations(128, 7)
    assert np.array_equal(a, minhash.permutations[0])
    assert np.array_equal(b, minhash.permutations[1])


@pytest.mark.parametrize("edits", [1, 5, 15, 40])
def test_the_estimate_is_within_its_standard_error(
    texts: object, similarity: Callable[..., float], edits: int
) -> None:
    layout = DedupConfig(permutations=512).layout()
    original = texts.english(400)  # type: ignore[attr-defined]
    copy = texts.edited(original, edits)  # type: ignore[attr-defined]
    minima = sign_texts(pa.array([original, copy]), layout).minima
    estimate = float((minima[0] == minima[1]).mean())
    true = similarity(original, copy)
    assert abs(estimate - true) <= 5 * max((true * (1 - true) / 512) ** 0.5, 1 / 512)


def test_short_and_empty_texts_are_defined() -> None:
    texts = ["", "   ", "!?", "one", "One.", "one two", "two one", "长", None]
    signed = sign_texts(pa.array(texts, pa.string()), LAYOUT)
    assert signed.units.tolist() == [0, 0, 0, 1, 1, 2, 2, 1, 0]
    assert signed.exact[0] == signed.exact[1] == signed.exact[8] != signed.exact[2]
    assert signed.minima[3].tolist() == signed.minima[4].tolist()  # the same units, one shingle
    assert signed.minima[5].tolist() != signed.minima[6].tolist()
    minima, present = minima_matrix(signature_column(signed), 32)
    assert present.tolist() == [False, False, False, True, True, True, True, True, False]
    assert np.array_equal(minima[3:8], signed.minima[3:8])


def test_a_slice_of_a_column_is_signed_like_the_column() -> None:
    column = pa.array(["first text", "zweiter Tëxt", "e\u0301 three", "四"])
    whole = sign_texts(column, LAYOUT)
    part = sign_texts(column.slice(1, 2), LAYOUT)
    assert part.exact == whole.exact[1:3]
    assert np.array_equal(part.minima, whole.minima[1:3])


def test_a_signature_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="128 are expected"):
        minima_matrix(pa.array([b"1234"]), 32)
