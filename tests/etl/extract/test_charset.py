"""Bytes decoded by what they are, not by what they claim."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.charset import declared_charset, decode

_CHINESE = "这个港口是镇上自己用三年时间修建的，费用来自盐税。没有人想到冰面能承受铁路货车。"
_RUSSIAN = "Гавань построил сам город за три года, и никто не ожидал, что лёд выдержит вагоны."
_JAPANESE = "港は町が三年かけて自分で造ったもので、費用は塩の税でまかなわれた。"
_FRENCH = (
    "Le port fut bâti par la ville elle-même, en trois années, grâce à un péage prélevé sur le sel."
)


@pytest.mark.parametrize(
    ("text", "real", "declared"),
    [
        (_CHINESE, "gbk", "utf-8"),
        (_CHINESE, "gbk", "iso-8859-1"),
        (_CHINESE, "gb18030", "gb2312"),
        (_CHINESE, "utf-8", "gbk"),
        (_CHINESE, "big5", "big5"),
        (_JAPANESE, "shift_jis", "shift_jis"),
        (_JAPANESE, "euc_jp", "utf-8"),
        (_JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (_RUSSIAN, "cp1251", "utf-8"),
        (_RUSSIAN, "cp1251", "windows-1251"),
        (_RUSSIAN, "koi8_r", "koi8-r"),
        (_FRENCH, "latin-1", "utf-8"),
        (_FRENCH, "utf-8", "iso-8859-1"),
        (_CHINESE, "utf-8-sig", "gbk"),
        (_CHINESE, "utf-16", "utf-8"),
    ],
)
def test_right_text_whatever_is_declared(text: str, real: str, declared: str) -> None:
    if real == "big5":
        text = "這個港口是鎮上自己用三年時間修建的，費用來自鹽稅。沒有人想到冰面能承受鐵路貨車。"
    html = f'<html><head><meta charset="{declared}"><title>x</title></head><p>{text}</p></html>'
    found = decode(html.encode(real), f"text/html; charset={declared}")
    assert text in found.text
    assert found.damage == 0


def test_header_wins_over_meta_and_unknown_labels_are_dropped() -> None:
    page = b"<meta charset=koi8-r>"
    assert declared_charset(page, "text/html; charset=windows-1251") == "cp1251"
    assert declared_charset(page, "text/html; charset=nonsense") == "koi8-r"
    assert declared_charset(page, "text/html") == "koi8-r"
    assert declared_charset(b"<p>", None) is None
    assert declared_charset(b"<meta charset=rot13>", None) is None


def test_a_few_bad_bytes_do_not_change_the_charset() -> None:
    data = (_CHINESE * 20).encode() + b"\xff\xfe" + (_CHINESE * 20).encode()
    found = decode(data, "text/html")
    assert found.charset == "utf-8"
    assert 0 < found.damage < 0.01
    assert found.text.startswith(_CHINESE)


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_and_header_decode(data: bytes, header: str) -> None:
    found = decode(data, f"text/html; charset={header}")
    assert 0 <= found.damage <= 1
    assert isinstance(found.text, str)
