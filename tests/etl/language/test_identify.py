"""Languages of texts, with the script where one language has several."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.language.identify import LanguageConfig, identify, identify_batch, model_path, spread
from schemas.errors import InputError

_TEXTS = {
    "eng": "The harbour was built in three years by the town itself, and paid for by a toll.",
    "deu": "Der Hafen wurde in drei Jahren von der Stadt gebaut und durch einen Zoll bezahlt.",
    "fra": "Le port fut bâti par la ville elle-même, en trois années, grâce à un péage sur le sel.",
    "cmn_Hans": "这个港口是镇上自己用三年时间修建的，费用来自盐税。没有人想到冰面能承受铁路货车。",
    "cmn_Hant": "這個港口是鎮上自己用三年時間修建的，費用來自鹽稅。沒有人想到冰面能承受鐵路貨車。",
    "jpn": "港は町が三年かけて自分で造ったもので、費用は塩の税でまかなわれた。",
    "kor": "이 항구는 마을이 스스로 삼 년에 걸쳐 지었고 비용은 소금에 매긴 세금으로 충당했다.",
    "rus": "Гавань построил сам город за три года, и никто не ожидал, что лёд выдержит вагоны.",
    "arb": "بنت المدينة الميناء بنفسها في ثلاث سنوات، ودفعت ثمنه من رسوم فرضتها على الملح.",
    "tha": "ท่าเรือแห่งนี้สร้างขึ้นโดยเมืองเองภายในเวลาสามปี โดยใช้เงินจากภาษีเกลือ",
    "srp_Cyrl": "Луку је град сам изградио за три године, а платио ју је царином на со и на дрво.",
}


def test_languages_and_scripts() -> None:
    found = identify_batch(list(_TEXTS.values()))
    assert [label for label, _ in found] == list(_TEXTS)
    assert all(0.25 <= score <= 1 for _, score in found)


@pytest.mark.parametrize(
    "text", ["", "   ", "12 34", "https://example.org/a/b", "ok", "中", "x" * 3]
)
def test_too_little_is_undetermined(text: str) -> None:
    assert identify(text)[0] == "und"


def test_arrow_and_nulls() -> None:
    found = identify_batch(pa.array([None, _TEXTS["eng"], _TEXTS["deu"]]))
    assert [label for label, _ in found] == ["und", "eng", "deu"]
    assert identify_batch(pa.array([], pa.string())) == []


def test_the_whole_text_decides_not_its_beginning() -> None:
    assert identify(_TEXTS["eng"] + "\n" + _TEXTS["deu"] * 40)[0] == "deu"
    assert identify(_TEXTS["deu"] * 40 + _TEXTS["eng"])[0] == "deu"


def test_windows_cover_both_ends() -> None:
    text = "a" + "b" * 9998 + "c"
    pieces = spread(text, 1000, 4)
    assert len(pieces) == 4
    assert pieces[0][0] == "a"
    assert pieces[-1][-1] == "c"
    assert all(len(piece) == 1000 for piece in pieces)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_has_an_answer_of_its_own(texts: list[str]) -> None:
    assert identify_batch(texts) == [identify(text) for text in texts]


def test_settings_are_checked_and_a_missing_model_names_the_setting() -> None:
    with pytest.raises(ValueError, match="min_score"):
        LanguageConfig(min_score=2)
    with pytest.raises(InputError, match=r"language\.model"):
        model_path(LanguageConfig(model="/nowhere/lid.176.ftz"))


def test_documents_of_the_udhr(sample_data: Path) -> None:
    from etl.extract.html import extract_page

    expected = {"deu_1996": "deu", "ell_monotonic": "ell", "por_PT": "por"}
    dialects = {"hak", "nan", "wuu", "yue"}  # the model knows them as Chinese, or hardly
    pages = sorted((sample_data / "lid" / "udhr").glob("*.html.gz"))
    names = [page.name.removesuffix(".html.gz") for page in pages]
    wrong = {}
    for name, page in zip(names, pages, strict=True):
        label, _ = identify(extract_page(gzip.decompress(page.read_bytes())).text)
        if name not in dialects and label.lower() != expected.get(name, name).lower():
            wrong[name] = label
    assert len(names) > 20
    assert wrong == {}
