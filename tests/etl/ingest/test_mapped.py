"""The field maps on records in their corpora's real layouts, and on odd ones."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from etl.ingest.card import Card
from etl.ingest.columns import Part, kept_batch
from etl.ingest.corpus import Corpus
from etl.ingest.fieldmap import FieldMap, load_map
from etl.ingest.fields import FieldError
from etl.ingest.layout import Selection
from etl.ingest.mapped import Mapper, Unmatched
from schemas.identity import derived_id
from tests.etl.ingest.corpora import FILES, RECORDS, TEXT

_CARD = Card(licence="ODC-By-1.0", said="odc-by", citation="c", file="README.md")


def _mapper(fields: FieldMap | dict[str, Any], path: str = "/data/a.jsonl") -> Mapper:
    one = fields if isinstance(fields, FieldMap) else FieldMap.model_validate(fields)
    return Mapper(Corpus(one, _CARD, Selection(), "/data"), "s", path)


def _row(mapper: Mapper, record: dict[str, Any]) -> dict[str, Any]:
    """The record's columns, which must be the same in both ways."""
    by_itself = kept_batch(Part(kept=[mapper.values(record, 1, 2)]), mapper.schema)
    together = mapper.batch([record], [1], [2])
    assert by_itself is not None
    if together is not None:
        assert together.to_pylist() == by_itself.to_pylist()
        together.validate(full=True)
    return by_itself.to_pylist()[0]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_each_corpus_in_its_real_layout(name: str) -> None:
    record, expected = RECORDS[name]
    mapper = _mapper(load_map(name), f"/data/{FILES.get(name, 'a.jsonl')}")
    row = _row(mapper, record)
    assert row["text"] == TEXT
    fetched = row.pop("fetched_at")
    found = row | {"fetched_at": f"{fetched:%Y-%m-%d %H:%M:%S}" if fetched else None}
    assert {key: found[key] for key in expected} == expected
    assert row["licence_statements"][-1]["kind"] == "dataset_card"
    assert mapper.batch([record] * 3, [0, 1, 2], [1, 1, 1]) is not None  # none is a special case


def test_metadata_may_be_an_object_or_a_string_of_one() -> None:
    mapper = _mapper(load_map("redpajama-v1"))
    record, _ = RECORDS["redpajama-v1"]
    opened = record | {"meta": json.loads(record["meta"])}
    assert _row(mapper, opened) == _row(mapper, record)
    assert _row(mapper, record | {"meta": "no json"})["url"] is None


def test_a_record_s_own_licence_outranks_the_card() -> None:
    mapper = _mapper({"name": "a", "text": "t", "licence": "l"})
    own = _row(mapper, {"t": "x", "l": "cc-by-4.0"})
    assert (own["licence"], own["licence_evidence"]) == ("CC-BY-4.0", "field: cc-by-4.0")
    assert [one["kind"] for one in own["licence_statements"]] == ["field", "dataset_card"]
    for silent in ("", "unknown", None, 5, ["mit"]):
        row = _row(mapper, {"t": "x", "l": silent})
        assert (row["licence"], row["licence_evidence"]) == ("ODC-By-1.0", "dataset_card: odc-by")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-21T12:00:00Z", "2024-02-21T12:00:00+00:00"),
        ("2024-02-21T12:00:00+02:00", "2024-02-21T10:00:00+00:00"),
        ("2024-02-21", "2024-02-21T00:00:00+00:00"),
        ("2021/12/16 11:37:00", "2021-12-16T11:37:00+00:00"),
        (1_700_000_000, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000_000, "2023-11-14T22:13:20+00:00"),
        ("yesterday", None),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        (10**400, None),
        (float("inf"), None),
        (True, None),
        ([], None),
    ],
)
def test_instants(value: Any, expected: str | None) -> None:
    row = _row(_mapper({"name": "a", "text": "t", "fetched_at": "d"}), {"t": "x", "d": value})
    assert (row["fetched_at"] and row["fetched_at"].isoformat()) == expected


@pytest.mark.parametrize(
    ("tag", "script", "text", "language"),
    [
        ("en", None, "x", "eng"),
        ("EN-us", None, "x", "eng"),
        ("deu", "Latn", "x", "deu"),
        ("zh", None, "国际经济", "cmn_Hans"),
        ("zh", None, "國際經濟", "cmn_Hant"),
        ("zh-Hant-HK", None, "x", "cmn_Hant"),
        ("zh_CN", None, "國際經濟", "cmn_Hans"),
        ("srp", "Latn", "Текст", "srp_Latn"),
        ("sr", "<x>", "Текст", "srp_Cyrl"),
        ("als", None, "x", "als"),
        ("klingon", None, "x", "und"),
        ("x" * 100, None, "x", None),
        ("e\n", None, "x", "und"),
        (5, None, "x", None),
    ],
)
def test_languages(tag: Any, script: str | None, text: str, language: str | None) -> None:
    mapper = _mapper({"name": "a", "text": "t", "language": "l", "script": "s"})
    assert _row(mapper, {"t": text, "l": tag, "s": script})["language"] == language


def test_what_does_not_fit_is_named() -> None:
    mapper = _mapper(
        {"name": "a", "text": "m.t", "url": "u", "required": ["url"], "where": {"k": ["x", 1]},
         "carry": {"n": "long", "d": "double", "b": "boolean", "s": "string"}}
    )  # fmt: skip
    good = {"m": {"t": "x"}, "u": "http://a", "k": "x", "n": 1, "d": 1, "b": True, "s": "y"}
    for bad, error_class, said in [
        ({"m": {}}, "missing_text", "no string field `m.t`"),
        ({"m": {"t": 5}}, "missing_text", "no string field `m.t`"),
        ({"u": ""}, "missing_field", "no field `u` (url)"),
        ({"u": None}, "missing_field", "no field `u` (url)"),
        ({"n": 1.5}, "wrong_type", "field `n` is float 1.5, not long"),
        ({"n": 2**63}, "wrong_type", "not long"),
        ({"n": "1"}, "wrong_type", "field `n` is str '1', not long"),
        ({"n": True}, "wrong_type", "not long"),
        ({"d": "x"}, "wrong_type", "not double"),
        ({"d": 10**400}, "wrong_type", "not double"),
        ({"b": 1}, "wrong_type", "not boolean"),
        ({"s": {}}, "wrong_type", "not string"),
    ]:
        with pytest.raises(FieldError) as caught:
            mapper.values(good | bad, 0, 1)
        assert caught.value.error_class == error_class
        assert said in str(caught.value)
        assert mapper.batch([good, good | bad], [0, 1], [1, 1]) is None
    for other in ("y", True, 1.0, None):
        with pytest.raises(Unmatched, match="`k` is"):
            mapper.values(good | {"k": other}, 0, 1)
        assert mapper.batch([good | {"k": other}], [0], [1]) is None
    assert _row(mapper, good | {"k": 1, "n": 5.0, "s": 5})["s"] == "5"


def test_columns_are_what_the_records_are_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    values: list[Any] = [None, "", "a", "é\x00", 0, -1, 2**40, 2**62, 1.5, True, [], {"u": "v"}, {},
                         '{"u": "w"}', "2024-01-01", "zh", "cc-by-4.0"]  # fmt: skip
    fields = {
        "name": "a", "text": "t", "id": "i", "url": "m.u", "title": "h", "language": "l",
        "script": "s", "fetched_at": "d", "licence": "c", "others": "rest", "drop": ["x"],
        "carry": {"n": "long", "f": "double", "b": "boolean", "k": "string", "j": "json"},
    }  # fmt: skip
    mapper, columns = _mapper(fields), 0
    for _ in range(400):
        usual = {"t": "text", "n": 1, "f": 0.5, "b": False, "k": "k", "x": 1, "y": "z"}
        odd = {draw.choice("timhlsdcnfbkjxyz"): draw.choice(values) for _ in range(3)}
        records = [usual, usual | odd, dict(odd) | {"t": "only"}]
        try:
            kept = [mapper.values(one, n, 1) for n, one in enumerate(records)]
        except FieldError:
            assert mapper.batch(records, [0, 1, 2], [1, 1, 1]) is None
            continue
        together = mapper.batch(records, [0, 1, 2], [1, 1, 1])
        if together is not None:
            columns += 1
            expected = kept_batch(Part(kept=kept), mapper.schema)
            assert expected is not None
            assert together.to_pylist() == expected.to_pylist()
    assert columns > 50


def test_an_id_is_derived_where_there_is_none() -> None:
    mapper = _mapper({"name": "a", "text": "t", "id": "i"})
    ids = [_row(mapper, {"t": "x", "i": one})["id"] for one in (None, "", True, 1.5, 7, "k")]
    assert ids == [derived_id("x")] * 4 + ["7", "k"]
