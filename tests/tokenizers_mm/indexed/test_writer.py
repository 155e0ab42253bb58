from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizers_mm.indexed import writer as module
from tokenizers_mm.indexed.format import BIN, DOCS, IDX, file_sha256
from tokenizers_mm.indexed.writer import ShardWriter, with_end_of_document

_DOCUMENTS = st.lists(st.lists(st.integers(0, 65_535), max_size=30), max_size=40)


def rows_of(count: int) -> pa.Table:
    return pa.table(
        {
            "doc_id": [f"{n:032x}" for n in range(count)],
            "url": pa.array([None] * count, pa.string()),
            "modality": ["text"] * count,
            "language": ["eng"] * count,
            "licence": ["CC0-1.0"] * count,
        }
    )


def write(prefix, documents, dtype, end, batch=7):
    """Writes `documents` (lists of ids), a few at a time."""
    with ShardWriter(prefix, dtype) as writer:
        for start in range(0, len(documents), batch):
            some = documents[start : start + batch]
            offsets = np.cumsum([0, *map(len, some)])
            ids = np.array([i for one in some for i in one], dtype=np.uint32)
            tokens, lengths = with_end_of_document(ids, offsets, end, dtype)
            rows = rows_of(len(documents)).slice(start, len(some))
            writer.append(tokens, lengths, rows)
        return writer.finish()


def write_with_megatron(prefix, documents, dtype, end):
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.dtype(dtype).type)
    for one in documents:
        builder.add_document(torch.tensor([*one, end], dtype=torch.int64), [len(one) + 1])
    builder.finalize(f"{prefix}.idx")


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
@settings(max_examples=30, deadline=None)
@given(documents=_DOCUMENTS, end=st.integers(0, 65_535))
def test_bytes_are_those_of_megatrons_builder(tmp_path_factory, dtype, documents, end):
    folder = tmp_path_factory.mktemp("shard")
    entry = write(folder / "ours", documents, dtype, end)
    write_with_megatron(folder / "theirs", documents, dtype, end)
    for suffix in (BIN, IDX):
        ours = (folder / f"ours{suffix}").read_bytes()
        assert ours == (folder / f"theirs{suffix}").read_bytes()
    assert entry.documents == len(documents)
    assert entry.tokens == sum(map(len, documents)) + len(documents)
    assert entry.sha256 == {s: file_sha256(folder / f"ours{s}") for s in (BIN, IDX, DOCS)}
    assert {path.name for path in folder.glob("ours*")} == {"ours.bin", "ours.idx", f"ours{DOCS}"}


def test_the_index_is_right_across_its_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)
    documents = [[n] * (n % 5) for n in range(20)]
    write(tmp_path / "ours", documents, "uint16", 9)
    write_with_megatron(tmp_path / "theirs", documents, "uint16", 9)
    assert (tmp_path / "ours.idx").read_bytes() == (tmp_path / "theirs.idx").read_bytes()


def test_ids_above_uint16_survive_in_int32(tmp_path):
    write(tmp_path / "a", [[151_935, 70_000]], "int32", 151_643)
    assert np.fromfile(tmp_path / "a.bin", np.int32).tolist() == [151_935, 70_000, 151_643]


def test_the_documents_table_says_where_each_document_lies(tmp_path):
    write(tmp_path / "a", [[1, 2, 3], [4], [5, 6]], "uint16", 0, batch=2)
    table = pq.read_table(tmp_path / f"a{DOCS}").to_pydict()
    assert table["document"] == [0, 1, 2]
    assert table["token_offset"] == [0, 4, 6]
    assert table["length"] == [4, 2, 3]
    assert table["doc_id"][2] == f"{2:032x}"


@given(documents=st.lists(st.lists(st.integers(0, 99), max_size=9), max_size=20))
def test_each_document_ends_with_the_end_of_document(documents):
    flat = np.array([7, *(i for one in documents for i in one)], dtype=np.uint32)
    offsets = np.cumsum([1, *map(len, documents)])  # a slice: the first id is another batch's
    tokens, lengths = with_end_of_document(flat, offsets, 100, "uint16")
    assert tokens.tolist() == [i for one in documents for i in [*one, 100]]
    assert lengths.tolist() == [len(one) + 1 for one in documents]


def test_what_does_not_fit_together_is_refused(tmp_path):
    with ShardWriter(tmp_path / "a", "uint16") as writer:
        tokens, lengths = np.zeros(3, np.uint16), np.array([3], np.int32)
        with pytest.raises(ValueError, match="disagree"):
            writer.append(tokens[:2], lengths, rows_of(1))
        with pytest.raises(ValueError, match="disagree"):
            writer.append(tokens, lengths, rows_of(2))
        with pytest.raises(TypeError, match="int64"):
            writer.append(tokens.astype(np.int64), lengths, rows_of(1))
