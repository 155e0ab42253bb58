"""lid.176's labels as ISO 639-3 with script."""

from __future__ import annotations

import re

import pytest

from etl.language.codes import iso639_3, script_of, with_script
from etl.language.identify import LanguageConfig, model_path
from schemas.identity import LANGUAGE_PATTERN


def test_every_label_of_the_model_has_a_code() -> None:
    from fasttext.FastText import _FastText

    labels = _FastText(model_path=str(model_path(LanguageConfig()))).labels
    codes = {label: iso639_3(label) for label in labels}
    assert len(labels) == 176
    assert [label for label, code in codes.items() if code == "und"] == []
    assert all(re.fullmatch(LANGUAGE_PATTERN, with_script(code, "")) for code in codes.values())
    assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize(
    ("language", "text", "label"),
    [
        ("cmn", "这个港口", "cmn_Hans"),
        ("cmn", "這個港口", "cmn_Hant"),
        ("yue", "呢個港口係邊個起", "yue_Hant"),
        ("srp", "Luku je grad sam izgradio", "srp_Latn"),
        ("uzn", "Портни шаҳар ўзи қурган", "uzn_Cyrl"),
        ("eng", "harbour", "eng"),
    ],
)
def test_scripts(language: str, text: str, label: str) -> None:
    assert with_script(language, text) == label


def test_one_script_needs_no_name() -> None:
    assert script_of("fra", "port") == ""
