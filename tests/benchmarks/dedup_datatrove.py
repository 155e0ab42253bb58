"""datatrove's MinHash over a folder of JSON Lines: run by `dedup.py` in datatrove's environment.

    python dedup_datatrove.py IN OUT WORKERS

Prints one JSON object: seconds (imports left out), kept, and id -> cluster.
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
import time
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

BANDS, ROWS, NGRAM = 14, 8, 5


def run_steps(source: str, out: Path, workers: int) -> dict[str, float]:
    """The four stages of datatrove's own example, one executor each; seconds of each."""
    config = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS, n_grams=NGRAM)
    files = len(list(Path(source).glob("*.jsonl")))
    signatures, buckets, removed = str(out / "sig"), str(out / "buckets"), str(out / "removed")
    read = JsonlReader(source)
    stages: dict[str, tuple[list[Any], int]] = {
        "signatures": (
            [read, MinhashDedupSignature(output_folder=signatures, config=config)],
            files,
        ),
        "buckets": (
            [MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)],
            BANDS,
        ),
        "cluster": (
            [MinhashDedupCluster(input_folder=buckets, output_folder=removed, config=config)],
            1,
        ),
        "filter": (
            [
                read,
                MinhashDedupFilter(input_folder=removed),
                JsonlWriter(str(out / "kept")),
            ],
            files,
        ),
    }
    seconds = {}
    for name, (pipeline, tasks) in stages.items():
        started = time.monotonic()
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=workers, logging_dir=str(out / "logs" / name)
        ).run()
        seconds[name] = round(time.monotonic() - started, 2)
    return seconds


def clusters_found(source: str, out: Path) -> dict[str, str]:
    """Components of the pairs in `buckets`, as its cluster stage joins them; id -> smallest id."""
    files = sorted(Path(source).glob("*.jsonl"))
    names = [[json.loads(line)["id"] for line in file.open()] for file in files]
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for path in sorted((out / "buckets").glob("*.dups")):
        for one_file, one, two_file, two in struct.iter_unpack("<4I", path.read_bytes()):
            left, right = root(names[one_file][one]), root(names[two_file][two])
            parent[max(left, right)] = min(left, right)
    return {name: root(name) for name in list(parent)}


def main() -> int:
    source, out, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    seconds = run_steps(source, out, workers)
    kept = 0
    for path in (out / "kept").rglob("*.jsonl.gz"):
        with gzip.open(path, "rt") as lines:
            kept += sum(1 for _ in lines)
    found = {
        "seconds": round(sum(seconds.values()), 2),
        "stages": seconds,
        "kept": kept,
        "clusters": clusters_found(source, out),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
