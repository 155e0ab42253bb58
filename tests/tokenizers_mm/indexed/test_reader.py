from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InputError
from tokenizers_mm.indexed.reader import ShardReader, read_manifest
from tokenizers_mm.indexed.writer import ShardWriter, with_end_of_document

_DOCUMENTS = st.lists(st.lists(st.integers(0, 65_535), max_size=9), max_size=30)


def _write(prefix, documents):
    import pyarrow as pa

    count = len(documents)
    columns = dict.fromkeys(("doc_id", "url", "modality", "language", "licence"), ["x"] * count)
    offsets = np.cumsum([0, *map(len, documents)])
    ids = np.array([i for one in documents for i in one], dtype=np.uint32)
    with ShardWriter(prefix, "uint16") as writer:
        tokens, lengths = with_end_of_document(ids, offsets, 1, "uint16")
        rows = pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()})
        writer.append(tokens, lengths, rows)
        writer.finish()


@settings(max_examples=30, deadline=None)
@given(documents=_DOCUMENTS, size=st.integers(1, 10))
def test_what_was_written_is_read(tmp_path_factory, documents, size):
    prefix = tmp_path_factory.mktemp("shard") / "a"
    _write(prefix, documents)
    shard = ShardReader(prefix)
    assert shard.documents == len(documents)
    assert [shard.document(k).tolist() for k in range(len(documents))] == [
        [*one, 1] for one in documents
    ]
    chunks = list(shard.chunks(size))
    assert [i for tokens, _, _ in chunks for i in tokens.tolist()] == shard.ids.tolist()
    assert [n for _, lengths, _ in chunks for n in lengths.tolist()] == shard.lengths.tolist()
    assert all(table.num_rows == len(lengths) <= size for _, lengths, table in chunks)


def test_a_cut_index_is_refused_by_name(tmp_path):
    _write(tmp_path / "a", [[1], [2]])
    index = tmp_path / "a.idx"
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"a\.idx: shorter"):
        _ = ShardReader(tmp_path / "a").boundaries


def test_without_a_manifest_there_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match=r"a\.manifest\.json: no such manifest"):
        read_manifest(tmp_path / "a")
