"""Survivors: which document of a cluster is kept, by value, and never a chain of unlike ones.

Members of a component are taken in the order of preference: published in an earlier snapshot
first, then the highest quality, the oldest snapshot, the smallest id. Each is merged into the first
survivor that it resembles itself; one that resembles none survives and opens a cluster of its own.
So A~B~C with A unlike C never loses C to A. The outcome depends on the members alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.dedup.candidates import ArrowPass
from etl.dedup.config import Layout
from etl.dedup.signatures import minima_matrix

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CLUSTER_SCHEMA = (
    "id string, cluster_id string, survivor string, similarity double, method string, "
    "active boolean, dropped boolean"
)
# `dropped`: new, and another member survives, be it of the same id (`against` may hold the row).
_CLUSTERS = pa.schema(
    [
        ("id", pa.string()),
        ("cluster_id", pa.string()),
        ("survivor", pa.string()),
        ("similarity", pa.float64()),
        ("method", pa.string()),
        ("active", pa.bool_()),
        ("dropped", pa.bool_()),
    ]
)
_COLUMNS = ("component", "exact", "signature", "active", "quality", "snapshot", "id")
_PREFERENCE = (
    ("component", "ascending"),
    ("active", "ascending"),  # published ones are not active
    ("quality", "descending"),
    ("snapshot", "ascending"),
    ("id", "ascending"),
)
_ROWS_AT_ONCE = 20_000


def elect(nodes: DataFrame, components: DataFrame, layout: Layout, *, tasks: int) -> DataFrame:
    """Clusters of two members or more, one row a member (`CLUSTER_SCHEMA`).

    `nodes`: key, id, exact, signature, quality, snapshot, active. `components`: key, component.
    """
    members = components.join(nodes, "key").select(*_COLUMNS)
    grouped = members.repartition(tasks, "component").sortWithinPartitions("component", "exact")
    return grouped.mapInArrow(_elector(layout), CLUSTER_SCHEMA)


def _elector(layout: Layout) -> ArrowPass:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for members in _whole_components(batches):
            clusters = elect_members(members, layout)
            yield from clusters.to_batches(max_chunksize=50_000)

    return run


def _whole_components(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of whole components, of about `_ROWS_AT_ONCE` rows each."""
    held: list[pa.Table] = []
    for batch in batches:
        if batch.num_rows == 0:
            continue
        component = batch.column("component")
        held.append(_without_repeats(pa.Table.from_batches([batch])))
        if sum(table.num_rows for table in held) < _ROWS_AT_ONCE:
            continue
        last = component[-1]
        start = batch.num_rows
        while start and component[start - 1] == last:
            start -= 1
        if start == 0:  # the whole batch is one component: it may have begun before it
            continue
        open_part = held[-1].slice(start)
        held[-1] = held[-1].slice(0, start)
        yield pa.concat_tables(held)
        held = [open_part]
    if held:
        yield pa.concat_tables(held)


def _without_repeats(members: pa.Table) -> pa.Table:
    """Exact copies stand together; one signature of each run is enough, whatever its length."""
    import numpy as np
    import pyarrow.compute as pc

    exact = members.column("exact").combine_chunks()
    repeats = np.zeros(len(exact), dtype=bool)
    repeats[1:] = pc.equal(exact[1:], exact[:-1]).to_numpy(zero_copy_only=False)
    signature = members.column("signature").combine_chunks()
    bare = pc.if_else(pa.array(repeats), pa.scalar(b"", pa.binary()), signature)
    return members.set_column(members.column_names.index("signature"), "signature", bare)


def elect_members(members: pa.Table, layout: Layout) -> pa.Table:
    """The clusters of whole components. `members` has the columns `_COLUMNS`, in any order."""
    import numpy as np
    import pyarrow.compute as pc

    from etl.dedup.greedy import choose_survivors

    exact, numbers = _numbered(members.column("exact"))
    minima, present = minima_matrix(
        members.column("signature").combine_chunks(), layout.permutations
    )
    text_minima = np.zeros((numbers, layout.permutations), dtype=np.uint32)
    signed = np.zeros(numbers, dtype=bool)
    text_minima[exact[present]] = minima[present]
    signed[exact[present]] = True
    order = pc.sort_indices(members, sort_keys=list(_PREFERENCE)).to_numpy()
    component, _ = _numbered(members.column("component"))
    active = members.column("active").to_numpy()
    survivor, similarity, copies = choose_survivors(
        component[order], exact[order], ~active[order], signed, text_minima, layout.threshold
    )
    ids = members.column("id").combine_chunks().take(pa.array(order))
    return _clusters(ids, survivor, similarity, copies, active[order])


def _numbered(column: pa.ChunkedArray) -> tuple[Any, int]:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype("int64"), len(encoded.dictionary)


def _clusters(ids: pa.Array, survivor: Any, similarity: Any, copies: Any, active: Any) -> pa.Table:
    """Rows of the clusters with two members or more; cluster_id is the smallest id."""
    import numpy as np
    import pyarrow.compute as pc

    size = np.bincount(survivor, minlength=len(ids))
    rank = np.empty(len(ids), dtype=np.int64)
    by_id = pc.sort_indices(ids).to_numpy()
    rank[by_id] = np.arange(len(ids))
    smallest = np.full(len(ids), len(ids), dtype=np.int64)
    np.minimum.at(smallest, survivor, rank)
    listed = np.flatnonzero(size[survivor] > 1)
    of = survivor[listed]
    method = np.where(copies[listed], "exact", "near")
    return pa.table(
        [
            ids.take(pa.array(listed)),
            ids.take(pa.array(by_id[smallest[of]])),
            ids.take(pa.array(of)),
            pa.array(similarity[listed]),
            pa.array(method, pa.string()),
            pa.array(active[listed]),
            pa.array(active[listed] & (of != listed)),
        ],
        schema=_CLUSTERS,
    )
