"""Union-find over numbered nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from etl.dedup.compiled import compiled


@compiled
def smallest_roots(source: Any, target: Any, nodes: Any) -> Any:
    """int64[nodes]: the smallest node of each node's component; path halving."""
    parent = np.arange(nodes)
    for edge in range(source.shape[0]):
        left, right = source[edge], target[edge]
        while parent[left] != left:
            parent[left] = parent[parent[left]]
            left = parent[left]
        while parent[right] != right:
            parent[right] = parent[parent[right]]
            right = parent[right]
        if left < right:
            parent[right] = left
        elif right < left:
            parent[left] = right
    for node in range(nodes):
        parent[node] = parent[parent[node]]
    return parent
