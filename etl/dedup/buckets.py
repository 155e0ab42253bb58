"""The links of LSH buckets: all pairs of small ones, a star and a chain for large ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from etl.dedup.compiled import compiled


@compiled
def _count(first: Any, end: Any, codes: Any, most: Any, sources: Any, targets: Any, at: Any) -> Any:
    """Links of the bucket [first, end), written from `at` when there is room; their number."""
    written = at
    room = sources.shape[0]
    small = end - first <= most
    for later in range(first + 1, end):
        for earlier in range(first, later) if small else range(later - 1, later):
            if (codes[earlier] | codes[later]) & np.uint64(1):
                if written < room:
                    sources[written] = earlier
                    targets[written] = later
                written += 1
        if not small and later > first + 1 and (codes[first] | codes[later]) & np.uint64(1):
            if written < room:
                sources[written] = first
                targets[written] = later
            written += 1
    return written - at


@compiled
def _links(codes: Any, most: Any, sources: Any, targets: Any) -> Any:
    total = 0
    first = 0
    for end in range(1, codes.shape[0] + 1):
        if end == codes.shape[0] or codes[end] >> np.uint64(1) != codes[first] >> np.uint64(1):
            total += _count(first, end, codes, most, sources, targets, total)
            first = end
    return total


def link_buckets(codes: Any, pairs_per_bucket: int) -> tuple[Any, Any]:
    """Positions (sources, targets) to link, source before target.

    `codes` uint64[n]: bucket hash << 1 | active, sorted by bucket and then in the order that the
    links shall follow. A pair without an active member is left out. A bucket of more than
    `pairs_per_bucket` members links each to the first (a star) and to the one before it (a chain).
    """
    codes = np.ascontiguousarray(codes)
    nothing = np.empty(0, dtype=np.int64)
    total = _links(codes, pairs_per_bucket, nothing, nothing)
    sources, targets = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    _links(codes, pairs_per_bucket, sources, targets)
    return sources, targets
