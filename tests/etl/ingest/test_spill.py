"""A join on disk: every record comes back once, with its group."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.ingest.spill import Spill
from schemas.errors import StepError


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-50, 5000), st.integers()), max_size=120),
    st.integers(1, 2000),
    st.integers(1, 400),
)
def test_groups_are_whole_and_in_order(
    records: list[tuple[int, int]], total: int, part: int
) -> None:
    with Spill(total, part, 1 << 20) as spill:
        folder = spill.folder
        for key, value in records:
            spill.put(key, {"v": value})
        found = [(key, [r["v"] for r in group], lost) for key, group, lost in spill.groups()]
    expected: dict[int, list[int]] = {}
    for key, value in records:
        expected.setdefault(key, []).append(value)
    assert {key: values for key, values, _ in found} == expected
    assert len(found) == len(expected)
    assert not any(lost for _, _, lost in found)
    assert not folder.exists()


def test_a_group_is_held_up_to_its_limit() -> None:
    with Spill(10, 1000, 100) as spill:
        for number in range(50):
            spill.put(1, {"v": number})
        spill.put(2, {"v": 0})
        ((_, first, lost), (_, second, none)) = spill.groups()
    assert len(first) + lost == 50
    assert 0 < len(first) < 10
    assert (len(second), none) == (1, 0)


def test_a_full_disk_is_no_fault_of_the_input() -> None:
    with Spill(10, 1000, 100) as spill:
        (spill.folder / "part-000").mkdir()
        with pytest.raises(StepError, match="TMPDIR"):
            spill.put(1, {})
