from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.dedup.buckets import link_buckets


def reachable(size: int, links: set[tuple[int, int]]) -> set[int]:
    found, frontier = {0}, [0]
    while frontier:
        node = frontier.pop()
        for left, right in links:
            for here, there in ((left, right), (right, left)):
                if here == node and there not in found:
                    found.add(there)
                    frontier.append(there)
    return found & set(range(size))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=40), st.integers(2, 9))
@settings(deadline=None)  # the first example loads the compiled code
def test_small_buckets_are_linked_pair_by_pair_and_large_ones_stay_connected(
    members: list[tuple[int, int]], most: int
) -> None:
    members = sorted(members)
    codes = np.array([bucket << 1 | active for bucket, active in members], dtype=np.uint64)
    sources, targets = link_buckets(codes, most)
    links = set(zip(sources.tolist(), targets.tolist(), strict=True))
    assert len(links) == len(sources)
    for number in range(5):
        where = [row for row, (bucket, _) in enumerate(members) if bucket == number]
        inside = {pair for pair in links if pair[0] in where}
        assert all(right in where and left < right for left, right in inside)
        pairs = {
            (left, right)
            for left in where
            for right in where
            if left < right and members[left][1] | members[right][1]
        }
        if len(where) <= most:
            assert inside == pairs
        else:
            assert inside <= pairs
            assert len(inside) < 2 * len(where)
            if all(members[row][1] for row in where):
                local = {(a - where[0], b - where[0]) for a, b in inside}
                assert reachable(len(where), local) == set(range(len(where)))


def test_no_records_no_links() -> None:
    sources, targets = link_buckets(np.empty(0, dtype=np.uint64), 4)
    assert len(sources) == len(targets) == 0
