"""Tokenising: ours against a per-document loop of `tokenizers`, and the writer against Megatron's.

    .venv/bin/python tests/benchmarks/tokenizing.py [--megabytes 40] [--input FILE.jsonl] [--json]

Three races on the same texts and the same tokenizer.json, each with the output compared:

- `encode`: one Arrow batch after another through gigatoken, one thread, against
  `Tokenizer.encode` a document, one thread.
- `pipeline`: `tokenize_frame` in Spark (read, shuffle, encode, sort, write, checksums) against the
  loop above with megatron.core's `IndexedDatasetBuilder.add_document` a document.
- `writer`: `ShardWriter` against `IndexedDatasetBuilder` on ready-made ids.

Not named tokenize.py: a script's folder leads its import path, and there it would hide the standard
library's `tokenize` from every other benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ALPHABETS = (
    ("abcdefghijklmnopqrstuvwxyz", " ", 8),
    ("abcdefghijklmnopqrstuvwxyzäöüéèßñç", " ", 10),
    ("абвгдежзийклмнопрстуфхцчшщъыьэюя", " ", 9),
    ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", " ", 7),
    ("".join(map(chr, range(0x4E00, 0x5200))), "", 3),
)


def synthetic_texts(seed: int, megabytes: float) -> list[str]:
    """Documents of about 3 kB in five scripts; words follow Zipf's law, as in real text."""
    rng = random.Random(seed)
    vocabularies = []
    for letters, joint, longest in _ALPHABETS:
        words = ["".join(rng.choices(letters, k=rng.randint(1, longest))) for _ in range(20_000)]
        weights = [1 / (rank + 3) for rank in range(len(words))]
        vocabularies.append((words, weights, joint))
    texts: list[str] = []
    size = 0
    while size < megabytes * 1e6:
        words, weights, joint = rng.choice(vocabularies)
        lines = [
            joint.join(rng.choices(words, weights, k=rng.randint(20, 120))) + rng.choice(".?!。")
            for _ in range(rng.randint(2, 10))
        ]
        texts.append("\n".join(lines) + f"\n{rng.randint(0, 9999)} (c)")
        size += len(texts[-1].encode())
    return texts


def read_texts(path: str, megabytes: float) -> list[str]:
    """The `text` of a JSONL file, up to so many megabytes."""
    texts: list[str] = []
    size = 0
    with Path(path).open(encoding="utf-8") as stream:
        for line in stream:
            if size >= megabytes * 1e6:
                break
            texts.append(json.loads(line)["text"])
            size += len(texts[-1].encode())
    return texts


def race_encode(texts: list[str], folder: Path) -> dict[str, Any]:
    """Encoding alone. The first pass over new text fills gigatoken's cache and is what counts."""
    import numpy as np
    import pyarrow as pa
    from tokenizers import Tokenizer

    from tokenizers_mm.text.encode import load_encoder
    from tokenizers_mm.text.vocabulary import read_tokenizer_manifest

    encoder = load_encoder(str(folder), read_tokenizer_manifest(folder).sha256, "gigatoken")
    batches = [pa.array(texts[start : start + 2000]) for start in range(0, len(texts), 2000)]
    started = time.perf_counter()
    ours = [encoder.encode(batch) for batch in batches]
    our_seconds = time.perf_counter() - started
    loop = Tokenizer.from_file(str(folder / "tokenizer.json"))
    started = time.perf_counter()
    theirs = [loop.encode(text, add_special_tokens=False).ids for text in texts]
    their_seconds = time.perf_counter() - started
    flat = np.concatenate([np.array(ids, dtype=np.uint32) for ids in theirs])
    identical = np.array_equal(np.concatenate([ids for ids, _ in ours]), flat)
    return _compared(len(flat), our_seconds, their_seconds, identical)


def race_pipeline(texts: list[str], folder: Path, scratch: Path) -> dict[str, Any]:
    """From a Parquet file to `.bin/.idx`: the whole step as users run it, on all cores."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
    from tokenizers import Tokenizer

    from etl.tables.session import SparkConfig, spark_session
    from schemas.identity import derived_id
    from tokenizers_mm.indexed.config import TokensConfig
    from tokenizers_mm.indexed.tokenize import tokenize_frame

    rows = sorted(((derived_id(f"{n}{text}"), text) for n, text in enumerate(texts)))
    table = pa.table({"doc_id": [row[0] for row in rows], "text": [row[1] for row in rows]})
    pq.write_table(table, scratch / "corpus.parquet", row_group_size=5000)
    spark = spark_session(SparkConfig())
    frame = spark.read.parquet(str(scratch / "corpus.parquet"))
    cores = len(os.sched_getaffinity(0))
    config = TokensConfig(documents_per_shard=max(1, len(texts) // (2 * cores)))
    # Workers start and libraries load once in the life of a session: not part of the race.
    tokenize_frame(frame.limit(50), scratch / "warm", folder, config)
    manifest, report = tokenize_frame(frame, scratch / "ours", folder, config)

    loop = Tokenizer.from_file(str(folder / "tokenizer.json"))
    started = time.perf_counter()
    builder = IndexedDatasetBuilder(
        str(scratch / "theirs.bin"), dtype=np.dtype(manifest.dtype).type
    )
    for text in pq.read_table(scratch / "corpus.parquet")["text"].to_pylist():
        ids = loop.encode(text, add_special_tokens=False).ids
        ids.append(manifest.end_of_document)
        builder.add_document(torch.tensor(ids), [len(ids)])
    builder.finalize(str(scratch / "theirs.idx"))
    their_seconds = time.perf_counter() - started
    joined = b"".join((scratch / f"{shard.name}.bin").read_bytes() for shard in manifest.shards)
    identical = joined == (scratch / "theirs.bin").read_bytes()
    return _compared(manifest.tokens, report.seconds, their_seconds, identical)


def race_writer(texts: list[str], folder: Path, scratch: Path) -> dict[str, Any]:
    """Writing alone, the documents table and the checksums included on our side."""
    import numpy as np
    import pyarrow as pa
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    from tokenizers_mm.indexed.writer import ShardWriter, with_end_of_document
    from tokenizers_mm.text.encode import load_encoder
    from tokenizers_mm.text.vocabulary import read_tokenizer_manifest

    end = read_tokenizer_manifest(folder).end_of_document
    encoder = load_encoder(str(folder), read_tokenizer_manifest(folder).sha256, "gigatoken")
    batches = []
    for start in range(0, len(texts), 2000):
        ids, offsets = encoder.encode(pa.array(texts[start : start + 2000]))
        rows = {"doc_id": pa.array([f"{start + n:032x}" for n in range(len(offsets) - 1)])}
        same = pa.array(["x"] * (len(offsets) - 1))
        rows |= dict.fromkeys(("url", "modality", "language", "licence"), same)
        batches.append((ids, offsets, pa.table(rows)))
    started = time.perf_counter()
    with ShardWriter(scratch / "w", "uint16") as writer:
        for ids, offsets, table in batches:
            writer.append(*with_end_of_document(ids, offsets, end, "uint16"), table)
        entry = writer.finish()
    our_seconds = time.perf_counter() - started
    documents = [
        torch.from_numpy(np.append(ids[offsets[k] : offsets[k + 1]], end).astype(np.int64))
        for ids, offsets, _ in batches
        for k in range(len(offsets) - 1)
    ]
    started = time.perf_counter()
    builder = IndexedDatasetBuilder(str(scratch / "m.bin"), dtype=np.uint16)
    for document in documents:
        builder.add_document(document, [len(document)])
    builder.finalize(str(scratch / "m.idx"))
    their_seconds = time.perf_counter() - started
    identical = all(
        (scratch / f"w{suffix}").read_bytes() == (scratch / f"m{suffix}").read_bytes()
        for suffix in (".bin", ".idx")
    )
    return _compared(entry.tokens, our_seconds, their_seconds, identical)


def _compared(tokens: int, ours: float, theirs: float, identical: bool) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "ours_tokens_per_second": round(tokens / ours),
        "theirs_tokens_per_second": round(tokens / theirs),
        "ratio": round(theirs / ours, 1),
        "identical": identical,
    }


def run(
    *, megabytes: float = 40, source: str = "", vocab_size: int = 32_000, seed: int = 20261121
) -> dict[str, Any]:
    """Runs the three races. `source` is a JSONL file with `text`; empty means synthetic text."""
    from tokenizers_mm.text.config import TokenizerConfig
    from tokenizers_mm.text.train import train_on_texts

    texts = read_texts(source, megabytes) if source else synthetic_texts(seed, megabytes)
    scratch = Path(tempfile.mkdtemp(prefix="tokenizing-"))
    try:
        sample = texts[:: max(1, len(texts) // 2000)]
        train_on_texts(sample, scratch / "tokenizer", TokenizerConfig(vocab_size=vocab_size))
        return {
            "benchmark": "tokenizing",
            "documents": len(texts),
            "megabytes": round(sum(len(text.encode()) for text in texts) / 1e6, 1),
            "cores": len(os.sched_getaffinity(0)),
            "encode": race_encode(texts, scratch / "tokenizer"),
            "writer": race_writer(texts, scratch / "tokenizer", scratch),
            "pipeline": race_pipeline(texts, scratch / "tokenizer", scratch),
        }
    finally:
        shutil.rmtree(scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--input", default="", help="a JSONL file with `text`")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    args = parser.parse_args()
    # The loop is per document; a pool of threads behind one document only costs.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found = run(
        megabytes=args.megabytes, source=args.input, vocab_size=args.vocab_size, seed=args.seed
    )
    for race in ("encode", "writer", "pipeline"):
        one = found[race]
        print(
            f"{race:9} ours {one['ours_tokens_per_second'] / 1e6:8.2f} Mtok/s   "
            f"theirs {one['theirs_tokens_per_second'] / 1e6:8.2f} Mtok/s   x{one['ratio']:<6} "
            f"{'identical' if one['identical'] else 'DIFFERENT'}",
            file=sys.stderr,
        )
    if args.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
