"""JSON lines straight into a table's files, held to what the general way gives."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.lines import fits, write_lines
from etl.ingest.read import read_records

pytestmark = pytest.mark.spark
Value = Callable[[random.Random, int], Any]

FLAT: dict[str, Value] = {
    "n": lambda draw, i: draw.choice([i, -i, None, 2**63 - 1]),
    "score": lambda draw, i: draw.choice([draw.random(), i, 1e300, -0.0]),
    "yes": lambda draw, i: draw.choice([True, False, None]),
    "word": lambda draw, i: draw.choice(["", "é", "北京", 'quo"te', "a\nb", None]),
    "nothing": lambda draw, i: None,
    "html": lambda draw, i: "<p>no page</p>",
    "Source": lambda draw, i: "theirs",
    "_verdict": lambda draw, i: "theirs, too",
}
NESTED: dict[str, Value] = {
    "tags": lambda draw, i: draw.choice([[], ["a"], ["b", None], None]),
    "meta": lambda draw, i: draw.choice([{"k": i}, {"k": None, "deep": {"x": [1.5, 2]}}, None]),
}


def lines(draw: random.Random, fields: dict[str, Value], count: int) -> list[bytes]:
    found = []
    for number in range(count):
        record: dict[str, Any] = {"text": draw.choice(["text", "别的", ""]) + str(number)}
        if draw.random() < 0.7:
            record["id"] = draw.choice([f"i{number}", number, "", None, True])
        if draw.random() < 0.7:
            record["url"] = draw.choice([f"http://host/{number}", "http://host/\ud800"])
        record |= {name: make(draw, number) for name, make in fields.items() if draw.random() < 0.8}
        found.append(
            json.dumps(record, ensure_ascii=draw.random() < 0.5 or "\ud800" in str(record))
        )
    return [line.encode("utf-8", "replace") for line in found]


BAD = [b"not json", b"[1]", b'{"id": "no text"}', b'{"text": 1}', b"", b"\xff", b"null",
       b'\xef\xbb\xbf{"text": "after a byte order mark"}', b'{"text": "CRLF"}\r']  # fmt: skip


def rows(spark: Any, folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    frame = spark.read.format("delta").load(str(folder))
    return frame.schema, by_place(frame)


def by_place(frame: Any) -> list[dict[str, Any]]:
    ordered = frame.orderBy("source_file", "source_offset").collect()
    return [row.asDict(recursive=True) for row in ordered]


@pytest.mark.parametrize("fields", [{}, FLAT, FLAT | NESTED], ids=["bare", "flat", "nested"])
def test_the_table_is_the_one_of_the_general_way(
    spark: Any, seed: int, tmp_path: Path, fields: dict[str, Value]
) -> None:
    draw = random.Random(seed)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        content = lines(draw, fields, 60) + draw.sample(BAD, 5)
        draw.shuffle(content)
        data = b"\n".join(content)
        (folder / f"{number}.jsonl.gz").write_bytes(gzip.compress(data))
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(data)[:-9])
    config = IngestConfig(source="s")

    written = write_lines(spark, str(folder), config, str(out), "delta")
    general = read_records(spark, str(folder), config)

    assert written is not None, f"seed {seed}"
    schema, found = rows(spark, out)
    expected = general.kept()
    assert [(f.name, f.dataType) for f in schema] == [(f.name, f.dataType) for f in expected.schema]
    assert found == by_place(expected), f"seed {seed}"
    told = spark.read.format("delta").load(str(out / "_quarantined"))
    names = ["id", "error_class", "message", "pointer"]
    wanted = general.quarantined().select(*names).collect()
    assert sorted(told.select(*names).collect()) == sorted(wanted)
    assert (written.rows(""), written.rows("_quarantined")) == (len(found), len(wanted))


LATE: dict[str, dict[str, Any]] = {
    "a field that was not seen": {"new": 1},
    "a fraction among whole numbers": {"n": 1.5},
    "a whole fraction among whole numbers": {"n": 1.0},
    "words among numbers": {"n": "many"},
    "yes among numbers": {"n": True},
    "more than 64 bits": {"n": 2**70},
    "another list": {"tags": [1]},
    "another struct": {"meta": {"other": 1}},
}


@pytest.mark.parametrize("late", LATE.values(), ids=list(LATE))
def test_what_comes_late_and_differs_goes_the_general_way(
    spark: Any, tmp_path: Path, late: dict[str, Any]
) -> None:
    first = [{"text": "t", "n": i, "tags": ["a"], "meta": {"k": i}} for i in range(2_500)]
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    out.mkdir()
    path.write_text("\n".join(json.dumps(one) for one in [*first, {"text": "last"} | late]))
    assert write_lines(spark, str(path), IngestConfig(), str(out), "delta") is None
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "record",
    [{"Name": 1, "name": 2}, {"a b": 1}, {"x": 2**70}, {"empty": {}}],
    ids=["case", "space", "decimal", "empty struct"],
)
def test_what_cannot_be_such_columns_goes_the_general_way(
    spark: Any, tmp_path: Path, record: dict[str, Any]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "t"} | record))
    assert write_lines(spark, str(path), IngestConfig(), str(tmp_path / "out"), "delta") is None


def test_other_formats_go_the_general_way(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "t"}')
    (tmp_path / "a.html").write_text("<html><body>page</body></html>")
    assert write_lines(spark, str(tmp_path), IngestConfig(), str(tmp_path / "o"), "delta") is None


def test_lines_without_a_record_make_an_empty_table(spark: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_text("{}\n{}\n")
    written = write_lines(spark, str(path), IngestConfig(), str(out), "delta")
    assert written is not None
    assert (rows(spark, out)[1], written.rows("_quarantined")) == ([], 2)


def test_values_are_held_to_their_types() -> None:
    struct = pa.struct([("k", pa.int64()), ("l", pa.list_(pa.string()))])
    assert fits({"k": 1, "l": ["a", None]}, struct)
    assert fits(None, struct)
    assert not fits({"k": 1.0}, struct)
    assert not fits({"z": 1}, struct)
    assert not fits([1], pa.list_(pa.string()))
    assert not fits(True, pa.int64())
