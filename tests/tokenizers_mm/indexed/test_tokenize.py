from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError, StepError
from tokenizers_mm.indexed import publish
from tokenizers_mm.indexed.config import TokensConfig
from tokenizers_mm.indexed.reader import read_manifest, shard_prefixes
from tokenizers_mm.indexed.tokenize import split_frame, tokenize_frame, tokenize_splits
from tokenizers_mm.indexed.verify import verify_dataset
from tokenizers_mm.text.encode import Decoder
from tokenizers_mm.text.vocabulary import read_tokenizer_manifest

pytestmark = pytest.mark.spark
_SCHEMA = "doc_id string, text string, url string, language string, licence string"
_SHARDED = TokensConfig(documents_per_shard=60)
_SINGLE = TokensConfig(single=True)


@pytest.fixture
def frame(spark, corpus):
    bad = [("0" * 32, "", "u", "eng", "x"), ("f" * 32, None, "u", "eng", "x")]
    return spark.createDataFrame([*corpus, *bad], _SCHEMA)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_megatron_reads_it_and_document_k_decodes_to_its_text(
    frame, corpus, tokenizer_folder, tmp_path
):
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    prefix = tmp_path / "set" / "text"
    manifest, report = tokenize_frame(frame, prefix, tokenizer_folder, _SHARDED)
    assert (report.rows_in, report.kept, report.quarantined) == (302, 300, 1)
    assert report.rejected == {"tokenize.empty": 1}
    assert report.bytes_in == sum(len(row[1].encode()) for row in corpus)
    assert len(manifest.shards) == 6

    decoder = Decoder(tokenizer_folder)
    by_id = {row[0]: row for row in corpus}
    seen = []
    for shard in shard_prefixes(prefix, manifest):
        dataset = IndexedDataset(str(shard))
        rows = pq.read_table(f"{shard}.docs.parquet").to_pylist()
        assert len(dataset) == len(rows)
        for tokens, row in zip(dataset[:], rows, strict=True):
            doc_id, text, url, language, licence = by_id[row["doc_id"]]
            assert decoder.text(tokens, end_of_document=manifest.end_of_document) == text
            assert (row["url"], row["language"], row["licence"]) == (url, language, licence)
            seen.append(doc_id)
    assert seen == sorted(by_id)  # doc_id order across all shards
    tokenizer = read_tokenizer_manifest(tokenizer_folder)
    assert manifest.tokenizer_sha256 == tokenizer.sha256
    assert manifest.vocabulary_hash == tokenizer.vocabulary.hash
    assert verify_dataset(prefix, tokenizer=tokenizer_folder)[1] == []


@pytest.mark.parametrize("config", [_SHARDED, _SINGLE], ids=["sharded", "single"])
def test_bytes_do_not_depend_on_the_parallelism(spark, frame, tokenizer_folder, tmp_path, config):
    tokenize_frame(frame.coalesce(1), tmp_path / "a" / "t", tokenizer_folder, config)
    saved = {k: spark.conf.get(k) for k in ("spark.sql.shuffle.partitions",)}
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "3")
        spark.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")
        tokenize_frame(frame.repartition(5), tmp_path / "b" / "t", tokenizer_folder, config)
    finally:
        spark.conf.unset("spark.sql.adaptive.coalescePartitions.enabled")
        for key, value in saved.items():
            spark.conf.set(key, value)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_single_holds_the_tokens_of_the_shards(frame, tokenizer_folder, tmp_path):
    tokenize_frame(frame, tmp_path / "one" / "t", tokenizer_folder, _SINGLE)
    manifest, _ = tokenize_frame(frame, tmp_path / "many" / "t", tokenizer_folder, _SHARDED)
    assert set(files_of(tmp_path / "one")) == {
        "t.bin", "t.idx", "t.docs.parquet", "t.dropped.parquet", "t.manifest.json"
    }  # fmt: skip
    shards = shard_prefixes(tmp_path / "many" / "t", manifest)
    joined = b"".join(Path(f"{shard}.bin").read_bytes() for shard in shards)
    assert (tmp_path / "one" / "t.bin").read_bytes() == joined
    assert verify_dataset(tmp_path / "one" / "t")[1] == []


def test_a_rerun_changes_nothing_and_replaces_what_another_config_wrote(
    frame, tokenizer_folder, tmp_path
):
    prefix = tmp_path / "t"
    tokenize_frame(frame, prefix, tokenizer_folder, _SHARDED)
    first = files_of(tmp_path)
    tokenize_frame(frame, prefix, tokenizer_folder, _SHARDED)
    assert files_of(tmp_path) == first
    tokenize_frame(frame.where("text != ''"), prefix, tokenizer_folder, _SINGLE)
    assert set(files_of(tmp_path)) == {"t.bin", "t.idx", "t.docs.parquet", "t.manifest.json"}


def test_datasets_with_similar_names_leave_each_other_alone(frame, tokenizer_folder, tmp_path):
    config = TokensConfig(documents_per_shard=150)
    tokenize_frame(frame, tmp_path / "t.valid", tokenizer_folder, config)
    tokenize_frame(frame, tmp_path / "t-00000", tokenizer_folder, config)
    others = files_of(tmp_path)
    tokenize_frame(frame, tmp_path / "t", tokenizer_folder, config)
    after = files_of(tmp_path)
    assert {name: after[name] for name in others} == others
    assert verify_dataset(tmp_path / "t")[1] == []


def test_after_a_crash_while_publishing_a_rerun_mends_it(
    frame, tokenizer_folder, tmp_path, monkeypatch
):
    tokenize_frame(frame, tmp_path / "good" / "t", tokenizer_folder, _SHARDED)

    def crash(_path, _data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "write_atomically", crash)
        with pytest.raises(OSError, match="No space"):
            tokenize_frame(frame, tmp_path / "t" / "t", tokenizer_folder, _SHARDED)
    _, problems = verify_dataset(tmp_path / "t" / "t")
    assert ["the run did not end" in said for said in problems] == [True]
    killed = tmp_path / "t" / ".t.staging-0123456789ab"
    killed.mkdir()
    (killed / "00000-half.bin").write_bytes(b"half")
    (tmp_path / "t" / "t-00017.bin").write_bytes(b"of an older run")
    tokenize_frame(frame, tmp_path / "t" / "t", tokenizer_folder, _SHARDED)
    assert files_of(tmp_path / "t") == files_of(tmp_path / "good")


def test_a_failed_task_says_why_in_one_line_and_leaves_nothing(
    frame, tokenizer_folder, tmp_path, monkeypatch
):
    from tokenizers_mm.indexed.publish import Staging

    enter = Staging.__enter__

    def vanishing(self):
        staging = enter(self)
        staging.folder.rmdir()  # as when the shared file system is gone
        return staging

    monkeypatch.setattr(Staging, "__enter__", vanishing)
    with pytest.raises(StepError, match=r"FileNotFoundError.*nothing was published") as raised:
        tokenize_frame(frame, tmp_path / "t", tokenizer_folder, _SHARDED)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_frame_is_a_complete_dataset_without_documents(frame, tokenizer_folder, tmp_path):
    nothing = frame.where("false")
    manifest, report = tokenize_frame(nothing, tmp_path / "a", tokenizer_folder, _SHARDED)
    assert (manifest.shards, report.rows_in, report.kept) == ((), 0, 0)
    manifest, _ = tokenize_frame(nothing, tmp_path / "b", tokenizer_folder, _SINGLE)
    assert (tmp_path / "b.bin").read_bytes() == b""
    assert verify_dataset(tmp_path / "a")[1] == []
    assert verify_dataset(tmp_path / "b")[1] == []


def test_ids_of_the_callers_own_may_repeat_and_be_of_any_form(spark, tokenizer_folder, tmp_path):
    rows = [(n % 7, f"text number {n}") for n in range(40)]
    config = TokensConfig(documents_per_shard=10)
    for name, partitions in (("a", 1), ("b", 4)):
        frame = spark.createDataFrame(rows, "id int, text string").repartition(partitions)
        _, report = tokenize_frame(
            frame, tmp_path / name / "t", tokenizer_folder, config, id_column="id"
        )
        assert report.kept == 40
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert verify_dataset(tmp_path / "a" / "t")[1] == []


def test_the_split_is_stable_disjoint_and_complete(frame, tokenizer_folder, tmp_path):
    config = TokensConfig(validation_share=0.2, documents_per_shard=100)
    train, held_out = split_frame(frame, config)
    sides = [{row["doc_id"] for row in side.collect()} for side in (train, held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 302
    assert 30 < len(sides[1]) < 95
    later = split_frame(frame.limit(50), config)[1]
    assert {row["doc_id"] for row in later.collect()} <= sides[1]  # others coming or going: same

    manifest, validation, report = tokenize_splits(
        frame, tmp_path / "t", tokenizer_folder, config, sources={"corpus": 4}
    )
    assert manifest.documents + validation.documents == report.kept == 300
    assert (report.rows_in, report.quarantined, report.rejected) == (302, 1, {"tokenize.empty": 1})
    assert read_manifest(tmp_path / "t.valid") == validation
    assert manifest.sources == {"corpus": 4}
    assert verify_dataset(tmp_path / "t")[1] == verify_dataset(tmp_path / "t.valid")[1] == []


def test_bad_usage_is_refused_before_anything_is_written(frame, tokenizer_folder, tmp_path):
    prefix = tmp_path / "out" / "t"
    with pytest.raises(InputError, match="share"):
        tokenize_frame(frame, "s3://bucket/t", tokenizer_folder)
    with pytest.raises(InputError, match="is a folder"):
        tokenize_frame(frame, tmp_path, tokenizer_folder)
    with pytest.raises(InputError, match="absent"):
        tokenize_frame(frame, prefix, tmp_path / "absent.json")
    with pytest.raises(InputError, match="no column 'key'"):
        tokenize_frame(frame, prefix, tokenizer_folder, id_column="key")
    with pytest.raises(InputError, match="no column 'text'"):
        tokenize_frame(frame.drop("text"), prefix, tokenizer_folder)
    assert not list(tmp_path.rglob("*.bin"))
    assert not list(tmp_path.rglob(".*staging*"))


_VICTIM = """
import sys
from etl.tables.session import SparkConfig, spark_session
from tokenizers_mm.indexed.config import TokensConfig
from tokenizers_mm.indexed.tokenize import tokenize_frame

source, prefix, tokenizer = sys.argv[1:]
spark = spark_session(SparkConfig(master="local[1]", driver_memory="1g"))
frame = spark.read.parquet(source)
print("started", flush=True)
tokenize_frame(frame, prefix, tokenizer, TokensConfig(documents_per_shard=10))
"""


@pytest.mark.drill
def test_killed_in_the_middle_and_run_again_it_ends_the_same(frame, tokenizer_folder, tmp_path):
    """SIGKILL of a real run once it has staged a part: no dataset; the next run is as the first."""
    config = TokensConfig(documents_per_shard=10)
    source = tmp_path / "source.parquet"
    pq.write_table(pa.Table.from_pylist([row.asDict() for row in frame.collect()]), source)
    tokenize_frame(frame, tmp_path / "good" / "t", tokenizer_folder, config)
    prefix = tmp_path / "killed" / "t"
    command = [sys.executable, "-c", _VICTIM, source, prefix, tokenizer_folder]
    victim = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    try:
        limit = time.monotonic() + 300
        while not any(prefix.parent.glob(".t.staging-*/*.bin")):
            assert victim.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < limit
            time.sleep(0.005)
    finally:
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    assert not Path(f"{prefix}.manifest.json").exists()
    tokenize_frame(frame, prefix, tokenizer_folder, config)
    assert files_of(prefix.parent) == files_of(tmp_path / "good")
