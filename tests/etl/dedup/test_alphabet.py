from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.dedup.alphabet import normalise, units


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Straße  im\tTal", "STRASSE im tal\n"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("cafe\u0301", "CAFÉ"),
        ("ﬁne", "fine"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_texts_with_one_normal_form(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("... !?", []),
        ("Don't stop: 3.5 km", ["don", "t", "stop", "3", "5", "km"]),
        ("我爱北京 now", ["我", "爱", "北", "京", "now"]),
        ("日本のtokyo駅", ["日", "本", "の", "tokyo", "駅"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("co\u00adoperate", ["cooperate"]),
        ("𠀀a", ["𠀀", "a"]),
    ],
)
def test_units(text: str, expected: list[str]) -> None:
    assert units(text) == expected


@given(st.text())
def test_the_normal_form_is_folded_white_space(text: str) -> None:
    assert normalise(text) == " ".join(normalise(text).split())
