from __future__ import annotations

from pathlib import Path

import pytest

from etl.crawl.journal import Journal, finished_under, read_journal
from schemas.errors import StepError


def entry(number: int, end: int = 0) -> dict[str, object]:
    row: dict[str, object] = {"kind": "fetch", "url": f"http://a.org/{number}"}
    if end:
        row |= {"warc_file": "s/x-00000.warc.gz", "warc_offset": end - 10, "warc_length": 10,
                "warc_end": end}  # fmt: skip
    return row


def test_lines_come_back_and_a_torn_tail_does_not(tmp_path: Path) -> None:
    path = tmp_path / "j"
    (tmp_path / "x-00000.warc.gz").write_bytes(bytes(20))
    journal = Journal(path)
    journal.append(entry(1, 10))
    journal.append(entry(2))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"fetch","url":"http')
    assert len(list(read_journal(path))) == 2
    again = Journal(path)
    assert again.last_place is not None
    assert again.last_place.end == 10
    again.append(entry(3))
    again.close()
    assert [e["url"][-1] for e in read_journal(path)] == ["1", "2", "3"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_any_cut_leaves_whole_lines(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for number in range(3):
        journal.append(entry(number))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    Journal(path).close()
    left = [e["url"] for e in read_journal(path)]
    assert left == [f"http://a.org/{i}" for i in range(len(left))]
    assert path.read_bytes().endswith(b"\n") or not left


def test_a_line_without_its_bytes_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "j"
    (tmp_path / "x-00000.warc.gz").write_bytes(bytes(15))
    journal = Journal(path)
    journal.append(entry(1, 10))
    journal.append(entry(2, 20))  # its WARC bytes were lost with the power
    journal.append(entry(3))
    journal.close()
    Journal(path).close()
    assert [e["url"][-1] for e in read_journal(path)] == ["1"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    with pytest.raises(StepError, match="another crawl"):
        Journal(tmp_path / "j")
    first.close()
    Journal(tmp_path / "j").close()


def test_finished_means_under_these_settings(tmp_path: Path) -> None:
    path = tmp_path / "j"
    assert finished_under(path, "h") is None
    journal = Journal(path)
    journal.append(entry(1))
    journal.append({"kind": "end", "run_hash": "h", "decided": 1})
    assert finished_under(path, "other") is None
    found = finished_under(path, "h")
    assert found is not None
    assert found["decided"] == 1
    journal.append(entry(2))
    assert finished_under(path, "h") is None
    journal.close()
