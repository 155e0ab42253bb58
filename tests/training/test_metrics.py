from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.metrics import JsonLinesWriter, curve, read_all, read_new


def test_a_file_that_is_not_there_yet_has_no_rows(tmp_path: Path) -> None:
    assert read_new(tmp_path / "none.jsonl", 0) == ([], 0)


def test_only_whole_lines_are_taken_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"iteration": 1}\n{"iterat')
    rows, offset = read_new(path, 0)
    assert rows == [{"iteration": 1}]
    assert read_new(path, offset) == ([], offset)
    with path.open("ab") as stream:
        stream.write(b'ion": 2}\n')
    assert read_new(path, offset)[0] == [{"iteration": 2}]
    assert path.read_bytes() == b'{"iteration": 1}\n{"iteration": 2}\n'


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=8), st.data())
def test_any_cut_of_the_file_gives_each_row_once(
    rows: list[dict[str, object]], data: st.DataObject
) -> None:
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    cut = data.draw(st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(content[:cut])
        first, offset = read_new(path, 0)
        path.write_bytes(content)
        second, end = read_new(path, offset)
    assert first + second == rows
    assert end == len(content)


def test_a_torn_line_of_a_killed_writer_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"iteration": 1}\n{"iterat')
    with JsonLinesWriter(path) as writer:
        writer.write({"iteration": 2})
    assert read_all(path) == [{"iteration": 1}, {"iteration": 2}]


def test_a_number_that_is_not_finite_becomes_null(tmp_path: Path) -> None:
    with JsonLinesWriter(tmp_path / "m.jsonl") as writer:
        writer.write({"loss": math.nan, "norm": math.inf, "lr": 0.5})
    assert read_all(tmp_path / "m.jsonl") == [{"loss": None, "norm": None, "lr": 0.5}]


def test_the_curve_keeps_the_last_of_repeated_iterations() -> None:
    rows = [{"iteration": 1, "a": 1}, {"iteration": 2, "a": 1}, {"iteration": 2, "a": 2}, {"x": 1}]
    assert curve(rows) == [{"iteration": 1, "a": 1}, {"iteration": 2, "a": 2}]
