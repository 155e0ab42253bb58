from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tokenizers_mm.indexed import encode_task
from tokenizers_mm.indexed.encode_task import ENCODED_SCHEMA, EncodeTask
from tokenizers_mm.text.encode import Decoder
from tokenizers_mm.text.vocabulary import read_tokenizer_manifest


def batch(*texts):
    """A batch of these texts; bytes make a string that is not UTF-8."""
    data = pa.array([t.encode() if isinstance(t, str) else t for t in texts], pa.binary())
    count = len(texts)
    same = pa.array(["x"] * count, pa.string())
    return pa.RecordBatch.from_pydict(
        {
            "shard": pa.array([0] * count, pa.int32()),
            "doc_id": pa.array([str(n) for n in range(count)], pa.string()),
            "tie": pa.array([0] * count, pa.int64()),
            "url": same,
            "language": same,
            "licence": same,
            "text": data.view(pa.string()),
        }
    )


@pytest.fixture
def task(tokenizer_folder):
    manifest = read_tokenizer_manifest(tokenizer_folder)
    return EncodeTask(
        tokenizer=str(tokenizer_folder),
        tokenizer_sha256=manifest.sha256,
        encoder="gigatoken",
        dtype="uint16",
        end_of_document=manifest.end_of_document,
        max_document_bytes=1000,
    )


def run(task, *batches):
    found = list(task(iter(batches)))
    for one in found:
        one.validate(full=True)
    return pa.Table.from_batches(found, ENCODED_SCHEMA).to_pylist()


def test_every_row_comes_out_once_with_its_tokens_or_a_reason(task, tokenizer_folder):
    texts = ["good", "", None, b"bad \xff\xfe bytes", "x" * 1001, "good too", ""]
    rows = run(task, batch(*texts))
    assert [row["doc_id"] for row in rows] == list("0123456")
    assert [row["rule"] or row["error_class"] for row in rows] == [
        None, "tokenize.empty", "missing_text", "invalid_utf8", "tokenize.too_large", None,
        "tokenize.empty",
    ]  # fmt: skip
    assert [row["verdict"] for row in rows] == [
        None, "rejected", "quarantined", "quarantined", "rejected", None, "rejected"
    ]  # fmt: skip
    assert [row["tokens"] is None for row in rows] == [row["verdict"] is not None for row in rows]
    assert (rows[4]["score"], rows[4]["threshold"]) == (1001, 1000)
    assert [row["bytes_in"] for row in rows] == [4, 0, 0, 12, 1001, 8, 0]
    decoder = Decoder(tokenizer_folder)
    for row, text in ((rows[0], "good"), (rows[5], "good too")):
        ids = np.frombuffer(row["tokens"], np.uint16)
        assert ids[-1] == task.end_of_document
        assert decoder.text(ids, end_of_document=task.end_of_document) == text


def test_batches_with_nothing_good_and_empty_ones(task):
    assert [row["tokens"] for row in run(task, batch("", None))] == [None, None]
    assert run(task, batch()) == []
    assert run(task) == []


def test_big_batches_are_encoded_in_slices(task, corpus, monkeypatch):
    texts = [row[1] for row in corpus if len(row[1].encode()) <= 1000]
    whole = run(task, batch(*texts))
    monkeypatch.setattr(encode_task, "_SLICE_BYTES", 700)
    sliced = list(task(iter([batch(*texts)])))
    assert len(sliced) > len(texts) / 10
    assert pa.Table.from_batches(sliced).to_pylist() == whole


def test_both_encoders_give_the_same_rows(task, corpus):
    rows = batch(*(row[1] for row in corpus))
    assert run(task, rows) == run(dataclasses.replace(task, encoder="tokenizers"), rows)


def test_int32_for_large_vocabularies(task, tokenizer_folder):
    (small,), (large,) = (
        run(task, batch("some text")),
        run(dataclasses.replace(task, dtype="int32"), batch("some text")),
    )
    np.testing.assert_array_equal(
        np.frombuffer(small["tokens"], np.uint16), np.frombuffer(large["tokens"], np.int32)
    )
