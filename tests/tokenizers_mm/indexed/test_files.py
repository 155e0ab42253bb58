from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizers_mm.indexed import files
from tokenizers_mm.indexed.files import RowGroups, write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 40), max_size=12))
def test_row_groups_do_not_depend_on_the_batches(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("groups")
    table = pa.table({"n": pa.array(range(sum(sizes)), pa.int64())})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROW_GROUP", 16)
        batched = RowGroups(folder / "batched", table.schema)
        start = 0
        for size in sizes:
            batched.append(table.slice(start, size))
            start += size
        batched.close()
        whole = RowGroups(folder / "whole", table.schema)
        whole.append(table)
        whole.close()
    assert (folder / "batched").read_bytes() == (folder / "whole").read_bytes()
    assert pq.read_table(folder / "batched").equals(table)
    groups = pq.ParquetFile(folder / "whole").metadata.num_row_groups
    assert groups == -(-sum(sizes) // 16)
