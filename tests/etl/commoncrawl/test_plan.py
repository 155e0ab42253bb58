from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import given
from hypothesis import strategies as st

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.fetch import ShareOrder
from etl.commoncrawl.plan import Planned, coalesced, warc_head


def _planned(number: int, path: str, offset: int, length: int) -> Planned:
    return Planned(number, "u", None, path, offset, length, "fetch", 0, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 500), st.integers(1, 99)), max_size=30
    ),
    st.integers(0, 50),
    st.integers(1, 300),
)
def test_requests_hold_every_record_once_and_stay_within_bounds(
    places: list[tuple[str, int, int]], gap: int, most: int
) -> None:
    rows = [_planned(n, *place) for n, place in enumerate(sorted(places))]
    groups = list(coalesced(iter(rows), gap, most))
    assert [row for group in groups for row in group] == rows
    for group in groups:
        assert len({row.path for row in group}) == 1
        assert len(group) == 1 or group[-1].end - group[0].offset <= most
        for before, after in itertools.pairwise(group):
            assert 0 <= after.offset - before.end <= gap
    for before, after in itertools.pairwise(groups):
        joined = before[0].path == after[0].path
        apart = after[0].offset - before[-1].end
        too_large = after[0].end - before[0].offset > most
        assert not joined or apart < 0 or apart > gap or too_large  # no request too many


def test_a_place_that_cannot_be_is_never_asked_for(
    share: Callable[..., ShareOrder], config: RangeConfig, pages: list[dict[str, Any]]
) -> None:
    bad = [
        {"warc_filename": "../../etc/passwd"}, {"warc_filename": "http://10.0.0.1/"},
        {"warc_filename": None}, {"warc_record_offset": -1}, {"warc_record_length": 0},
        {"warc_record_length": -5}, {"warc_record_offset": None},
    ]  # fmt: skip
    rows = [pages[0] | change for change in bad]
    assert {row.verdict for row in share(rows, config).rows()} == {"quarantined"}


def test_places_in_our_files_neither_overlap_nor_leave_room(
    share: Callable[..., ShareOrder], config: RangeConfig, pages: list[dict[str, Any]]
) -> None:
    order = share(pages[:200], config, warc_bytes=50_000)
    ends: dict[int, int] = {}
    for row in order.rows():
        assert row.at == ends.get(row.file, len(warc_head(0, row.file)))
        ends[row.file] = row.at + row.length
    assert sorted(ends) == list(range(len(ends)))
    assert len(ends) > 2
    assert max(ends.values()) <= 50_000


@pytest.mark.parametrize("file", [0, 7])
def test_a_head_is_a_record_that_others_read(file: int) -> None:
    head = warc_head(3, file)
    (record,) = ArchiveIterator(io.BytesIO(head), verify_digests=True)
    assert record.headers["WARC-Filename"] == f"commoncrawl-00003-{file:05d}.warc.gz"
    assert warc_head(3, file) == head
