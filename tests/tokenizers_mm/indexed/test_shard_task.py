from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.manifest import ShardEntry
from tokenizers_mm.indexed.encode_task import ENCODED_SCHEMA
from tokenizers_mm.indexed.reader import ShardReader
from tokenizers_mm.indexed.shard_task import ShardTask


def kept(shard, doc_id, ids):
    data = np.array(ids, np.uint16).tobytes()
    return {"shard": shard, "doc_id": doc_id, "tokens": data, "bytes_in": 3, "tie": 0,
            "url": f"http://x/{doc_id}", "language": "eng", "licence": "CC0-1.0"}  # fmt: skip


def dropped(shard, doc_id, rule=None):
    verdict = "rejected" if rule else "quarantined"
    error = None if rule else "missing_text"
    return {"shard": shard, "doc_id": doc_id, "bytes_in": 1, "verdict": verdict, "rule": rule,
            "error_class": error, "score": 0.0 if rule else None}  # fmt: skip


def run(tmp_path, *batches):
    task = ShardTask(staging=str(tmp_path), dtype="uint16")
    arrow = (pa.RecordBatch.from_pylist(list(rows), schema=ENCODED_SCHEMA) for rows in batches)
    return [row for found in task(arrow) for row in found.to_pylist()]


def test_shards_follow_each_other_within_and_across_batches(tmp_path):
    found = run(
        tmp_path,
        [kept(0, "a", [1, 9]), kept(0, "b", [2, 3, 9]), kept(2, "c", [4, 9])],
        [kept(2, "d", [9]), kept(5, "e", [5, 6, 7, 9])],
    )
    assert [row["shard"] for row in found] == [0, 2, 5]
    assert [row["bytes_in"] for row in found] == [6, 6, 3]
    read = []
    for row in found:
        shard = ShardReader(tmp_path / row["part"])
        entry = ShardEntry.model_validate_json(row["entry"])
        assert (entry.documents, entry.tokens) == (shard.documents, shard.tokens)
        read.append([shard.document(k).tolist() for k in range(shard.documents)])
    assert read == [[[1, 9], [2, 3, 9]], [[4, 9], [9]], [[5, 6, 7, 9]]]
    rows = pq.read_table(tmp_path / f"{found[0]['part']}.docs.parquet").to_pylist()
    assert rows[1] == {
        "document": 1, "doc_id": "b", "url": "http://x/b", "token_offset": 2, "length": 3,
        "modality": "text", "language": "eng", "licence": "CC0-1.0",
    }  # fmt: skip


def test_dropped_rows_are_counted_and_listed_in_order(tmp_path):
    (found,) = run(
        tmp_path,
        [dropped(0, "a", "tokenize.empty"), kept(0, "b", [1, 9]), dropped(0, "c")],
        [dropped(0, "d", "tokenize.too_large"), dropped(0, "e", "tokenize.empty")],
    )
    assert json.loads(found["rejected"]) == {"tokenize.empty": 2, "tokenize.too_large": 1}
    assert found["quarantined"] == 1
    listed = pq.read_table(tmp_path / f"{found['part']}.dropped.parquet").to_pylist()
    assert [row["id"] for row in listed] == ["a", "c", "d", "e"]
    assert listed[1]["error_class"] == "missing_text"
    assert ShardReader(tmp_path / found["part"]).documents == 1


def test_a_shard_of_dropped_rows_only_has_no_documents(tmp_path):
    (found,) = run(tmp_path, [dropped(3, "a", "tokenize.empty")])
    assert ShardReader(tmp_path / found["part"]).documents == 0
    assert run(tmp_path) == run(tmp_path, []) == []


def test_sliced_arrays_are_read_from_their_offset(tmp_path):
    rows = [kept(n // 3, str(n), [n, n, 9]) for n in range(9)]
    found = run(tmp_path, rows)
    ids = [ShardReader(tmp_path / row["part"]).ids.tolist() for row in found]
    assert ids == [[0, 0, 9, 1, 1, 9, 2, 2, 9], [3, 3, 9, 4, 4, 9, 5, 5, 9],
                   [6, 6, 9, 7, 7, 9, 8, 8, 9]]  # fmt: skip
