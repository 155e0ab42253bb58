"""Signatures of a column of texts: by Arrow batch, and as a Spark pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.dedup.alphabet import code_point_table, normalise
from etl.dedup.config import DedupConfig, Layout

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from pyspark.sql import DataFrame

EXACT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Signatures:
    """One row a text: its exact hash, units, and minima.

    `exact`: first 16 bytes of the SHA-256 of the normal form. `units` int32[rows]: 0 for a text
    without a word; such a text is compared by `exact` alone. `minima` uint32[rows, permutations].
    """

    exact: list[bytes]
    units: npt.NDArray[np.int32]
    minima: npt.NDArray[np.uint32]


@lru_cache(maxsize=16)
def permutations(number: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """(a, b) of `a * h + b mod 2**32`, drawn as datasketch draws its `affine32` permutations."""
    import numpy as np

    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, number, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, number, dtype=np.uint32)
    return a, b


def sign_texts(texts: pa.Array, layout: Layout) -> Signatures:
    """Signatures of an Arrow column of strings; a null counts as an empty text."""
    import numpy as np

    found = _sketch(texts, layout, folded=False)
    slow = np.flatnonzero(found.units < 0)
    if not slow.size:
        return found
    # A code point in these depends on its neighbours: Python normalises the whole text.
    whole = [normalise(text) for text in texts.take(pa.array(slow)).to_pylist()]
    again = _sketch(pa.array(whole, pa.large_string()), layout, folded=True)
    found.minima[slow] = again.minima
    found.units[slow] = again.units
    for row, exact in zip(slow.tolist(), again.exact, strict=True):
        found.exact[row] = exact
    return found


def _sketch(texts: pa.Array, layout: Layout, *, folded: bool) -> Signatures:
    import numpy as np

    from etl.dedup.kernel import sketch

    a, b = permutations(layout.permutations, layout.seed)
    column = texts.fill_null("").cast(pa.large_string())
    _, offsets_buffer, data_buffer = column.buffers()
    first, rows = column.offset, len(column)
    offsets = np.zeros(1, dtype=np.int64)
    if rows:
        offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[first : first + rows + 1]
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)
    out, ends, units, minima = sketch(data, offsets, folded, code_point_table(), layout.ngram, a, b)
    normal, bounds = memoryview(out), ends.tolist()
    exact = [
        hashlib.sha256(normal[start:end]).digest()[:EXACT_BYTES] for start, end in pairwise(bounds)
    ]
    return Signatures(exact, units, minima)


def signature_column(signatures: Signatures) -> pa.Array:
    """Binary, little-endian uint32 minima; empty where the text has no units."""
    import numpy as np

    width = signatures.minima.shape[1] * 4
    lengths = np.where(signatures.units > 0, width, 0)
    data = np.ascontiguousarray(signatures.minima[signatures.units > 0].astype("<u4", copy=False))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(signatures.exact), buffers)


def minima_matrix(
    column: pa.Array, permutations: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """The inverse of `signature_column`: uint32[rows, permutations] and which rows have one.

    A null or empty row is all zeros. Raises `ValueError` for a signature of another length.
    """
    import numpy as np

    filled = column.fill_null(b"").cast(pa.large_binary())
    _, offsets_buffer, data_buffer = filled.buffers()
    first, rows = filled.offset, len(filled)
    if not rows:
        return np.zeros((0, permutations), dtype="<u4"), np.zeros(0, dtype=bool)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[first : first + rows + 1]
    lengths = np.diff(offsets)
    present = lengths > 0
    if not np.isin(lengths, (0, permutations * 4)).all():
        wrong = int(lengths[~np.isin(lengths, (0, permutations * 4))][0])
        raise ValueError(f"a signature of {wrong} bytes where {permutations * 4} are expected")
    matrix = np.zeros((rows, permutations), dtype="<u4")
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    matrix[present] = data.view("<u4").reshape(-1, permutations)
    return matrix, present


def sign_frame(frame: DataFrame, config: DedupConfig, carried: Iterable[str]) -> DataFrame:
    """One Arrow pass over the column `text`: `carried` columns + exact, signature, units."""
    from pyspark.sql.types import BinaryType, IntegerType, StructField, StructType

    carried = list(carried)
    chosen = frame.select("text", *carried)
    fields = [field for field in chosen.schema.fields if field.name != "text"]
    signed = {"exact": BinaryType(), "signature": BinaryType(), "units": IntegerType()}
    schema = StructType(fields + [StructField(name, kind) for name, kind in signed.items()])
    return chosen.mapInArrow(_signer(config.layout(), carried), schema)


def _signer(
    layout: Layout, carried: list[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def sign(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            signed = sign_texts(batch.column("text"), layout)
            columns: list[Any] = [batch.column(name) for name in carried]
            columns += [
                pa.array(signed.exact, pa.binary()),
                signature_column(signed),
                pa.array(signed.units, pa.int32()),
            ]
            names = [*carried, "exact", "signature", "units"]
            yield pa.RecordBatch.from_arrays(columns, names=names)

    return sign
