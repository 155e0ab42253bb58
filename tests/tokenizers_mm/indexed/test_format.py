from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas.errors import InputError
from tokenizers_mm.indexed.format import (
    HEADER_BYTES,
    beside,
    optimal_dtype,
    pack_header,
    read_header,
)


@pytest.mark.parametrize("size", [1, 256, 65_499, 65_500, 65_536, 151_936])
def test_the_dtype_is_megatrons(size):
    from megatron.core.datasets.indexed_dataset import DType

    assert optimal_dtype(size) == DType.optimal_dtype(size).__name__


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
def test_a_header_reads_back(tmp_path, dtype):
    path = tmp_path / "a.idx"
    path.write_bytes(pack_header(dtype, 7))
    header = read_header(path)
    assert path.stat().st_size == HEADER_BYTES == 34
    assert (header.dtype, header.sequences, header.boundaries) == (np.dtype(dtype), 7, 8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MMIDIDX\x00\x00",
        b"XXIDIDX\x00\x00" + pack_header("uint16", 1)[9:],
        pack_header("uint16", 1)[:9] + b"\x02" + pack_header("uint16", 1)[10:],  # version 2
        pack_header("uint16", 1)[:17] + b"\x63" + pack_header("uint16", 1)[18:],  # dtype 99
    ],
)
def test_what_is_no_index_is_refused_by_name(tmp_path, data):
    path = tmp_path / "a.idx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.idx.*tokenize again"):
        read_header(path)


def test_a_prefix_may_hold_dots():
    assert beside(Path("x/corpus.valid"), ".bin") == Path("x/corpus.valid.bin")
