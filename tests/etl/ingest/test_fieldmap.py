"""Field maps: those in deploy/corpora, and the mistakes in a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.ingest.fieldmap import CORPORA, FieldMap, fitting_maps, known_maps, load_map
from schemas.errors import InputError

_NAMED = {"fineweb", "fineweb-2", "dolma", "redpajama-v1", "redpajama-v2", "culturax", "c4",
          "oscar", "generic"}  # fmt: skip


def test_the_named_corpora_are_there_and_hold_their_own_name() -> None:
    assert set(known_maps()) >= _NAMED
    for name in known_maps():
        assert load_map(name).name == name
        assert (CORPORA / f"{name}.yaml").read_text().startswith("# ")  # where the layout is told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: a\n", "text is missing; add the field that holds it"),
        ("name: a\ntxet: t\n", "unknown key txet"),
        ("name: a\ntext: t\ncarry: {url: string}\n", "the name 'url' is taken"),
        ("name: a\ntext: t\ncarry: {n: float}\n", "carry.n.type: "),
        ("name: a\ntext: t\ncarry: {n: {type: long}}\n", "carry.n.field is missing"),
        ("name: a\ntext: t\nothers: text\n", "others: the name 'text' is taken"),
        ("name: a\ntext: t\ndrop: [t]\n", "drop: 't' is mapped or carried as well"),
        ("name: a\ntext: t\nrequired: [url]\n", "required: 'url' is not mapped"),
        ("name: a\ntext: t\nrequired: [licence]\n", "required: 'licence' is not mapped"),
        ("name: a\ntext: t\nscript: s\n", "script: goes with language"),
        ("name: a\ntext: t\nlanguages: {zh: zh}\n", "languages: 'zh': 'zh' is no code"),
        ("name: a\ntext: t\nlanguage_in_path: 'x'\n", "language_in_path: needs one group"),
        ("name: a\ntext: t\nlanguage_in_path: '('\n", "language_in_path: "),
        ("name: a\ntext: ''\n", "text: "),
        ("- a\n", "holds no settings"),
        ("a: [\n", "is not YAML"),
        ("\xff", "holds no settings"),
        ("#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        load_map(str(path))
    assert f"field map {path}: " in str(caught.value)
    assert said in str(caught.value)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"nowhere.yaml: .*one of: c4, .*fineweb"):
        load_map("nowhere")


def test_short_forms_are_written_out() -> None:
    fields = FieldMap.model_validate(
        {"name": "a", "text": "b.c", "carry": {"n": "long"}, "where": {"k": "x"}}
    )
    assert (fields.carry["n"].field, fields.carry["n"].type) == ("n", "long")
    assert fields.where == {"k": ("x",)}
    assert fields.paths == ("b.c", "n", "k")


def test_fields_tell_which_maps_fit() -> None:
    assert "redpajama-v2" in fitting_maps(["raw_content", "url", "language"])
    assert "oscar" in fitting_maps(["content", "warc_headers", "metadata"])
    assert fitting_maps(["a", "b"]) == []
