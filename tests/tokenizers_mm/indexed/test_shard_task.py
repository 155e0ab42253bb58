from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.manifest import ShardEntry
from tokenizers_mm.indexed.reader import ShardReader
from tokenizers_mm.indexed.shard_task import ShardTask
from tokenizers_mm.text.encode import Decoder
from tokenizers_mm.text.vocabulary import read_tokenizer_manifest

_COLUMNS = ("shard", "doc_id", "text", "url", "language", "licence")


def batch(*rows):
    """Rows of (shard, doc_id, text); bytes as text make it a string that is not UTF-8."""
    texts = pa.array(
        [t.encode() if isinstance(t, str) else t for _, _, t in rows], pa.binary()
    ).view(pa.string())
    same = pa.array(["eng"] * len(rows))
    columns = [
        pa.array([r[0] for r in rows], pa.int32()),
        pa.array([r[1] for r in rows], pa.string()),
        texts,
        same,
        same,
        same,
    ]
    return pa.RecordBatch.from_arrays(columns, names=_COLUMNS)


@pytest.fixture
def task(tokenizer_folder, tmp_path):
    manifest = read_tokenizer_manifest(tokenizer_folder)
    return ShardTask(
        staging=str(tmp_path),
        tokenizer=str(tokenizer_folder),
        tokenizer_sha256=manifest.sha256,
        encoder="gigatoken",
        dtype="uint16",
        end_of_document=manifest.end_of_document,
        max_document_bytes=1000,
    )


def run(task, *batches):
    return [row for found in task(iter(batches)) for row in found.to_pylist()]


def test_shards_follow_each_other_within_and_across_batches(task, tmp_path, tokenizer_folder):
    found = run(
        task,
        batch((0, "a", "one"), (0, "b", "two"), (2, "c", "three")),
        batch((2, "d", "four"), (5, "e", "five")),
    )
    assert [(r["shard"], r["first_id"]) for r in found] == [(0, "a"), (2, "c"), (5, "e")]
    decoder = Decoder(tokenizer_folder)
    texts = []
    for row in found:
        shard = ShardReader(tmp_path / row["part"])
        entry = ShardEntry.model_validate_json(row["entry"])
        assert (entry.documents, entry.tokens) == (shard.documents, shard.tokens)
        texts.append(
            [
                decoder.text(shard.document(k), end_of_document=task.end_of_document)
                for k in range(shard.documents)
            ]
        )
    assert texts == [["one", "two"], ["three", "four"], ["five"]]
    assert [row["bytes_in"] for row in found] == [6, 9, 4]


def test_every_bad_row_is_counted_and_listed(task, tmp_path):
    rows = [
        (0, "a", "good"),
        (0, "b", ""),
        (0, "c", None),
        (0, "d", b"bad \xff\xfe bytes"),
        (0, "e", "x" * 1001),
        (0, "f", "good too"),
        (0, "g", ""),
    ]
    (found,) = run(task, batch(*rows))
    assert (found["empty"], found["too_large"], found["quarantined"]) == (2, 1, 2)
    kept = pq.read_table(tmp_path / f"{found['part']}.docs.parquet")["doc_id"].to_pylist()
    assert kept == ["a", "f"]
    dropped = pq.read_table(tmp_path / f"{found['part']}.dropped.parquet").to_pylist()
    assert [row["id"] for row in dropped] == ["b", "c", "d", "e", "g"]
    assert {row["id"]: row["rule"] or row["error_class"] for row in dropped} == {
        "b": "tokenize.empty",
        "g": "tokenize.empty",
        "c": "missing_text",
        "d": "invalid_utf8",
        "e": "tokenize.too_large",
    }
    large = next(row for row in dropped if row["id"] == "e")
    assert (large["verdict"], large["score"], large["threshold"]) == ("rejected", 1001, 1000)


def test_a_part_with_nothing_good_is_an_empty_shard(task, tmp_path):
    (found,) = run(task, batch((3, "a", ""), (3, "b", None)))
    assert ShardReader(tmp_path / found["part"]).documents == 0
    assert run(task) == []
    assert run(task, batch()) == []


def test_both_encoders_write_the_same_bytes(task, tmp_path, corpus):
    rows = batch(*((0, row[0], row[1]) for row in sorted(corpus)))
    (first,) = run(task, rows)
    (second,) = run(dataclasses.replace(task, encoder="tokenizers"), rows)
    assert first["entry"].replace(first["part"], "") == second["entry"].replace(second["part"], "")
