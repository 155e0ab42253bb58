"""Near-dedup side by side: ours on Spark against datatrove's MinHash on the same documents.

Both get the same JSON Lines files, 14 bands x 8 rows, word 5-grams and two workers, and both write
the documents that they keep. Spark's start is timed apart. The documents come from one seed: words
of an invented vocabulary, a fifth of them copies of an earlier document with a few words replaced.

    python tests/benchmarks/dedup.py --documents 100000 --peer-python VENV/bin/python

`--peer-python` is the interpreter of an environment with `datatrove[io,processing]==0.10.1`, spacy.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

WORDS, EDITS, SHARE_COPIES = 430, 6, 0.2  # about 2.8 kB a document; similarity of 0.87 and up
WORKERS = 2


def documents(number: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """(id, text, id of the original): `number` rows; an original names itself."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(50_000)]
    originals: list[tuple[str, str]] = []
    for row in range(number):
        name = f"{row:09d}"
        if originals and draw.random() < SHARE_COPIES:
            source, text = draw.choice(originals)
            words = text.split()
            for _ in range(draw.randint(0, EDITS)):
                words[draw.randrange(len(words))] = draw.choice(vocabulary)
            yield name, " ".join(words), source
        else:
            text = " ".join(draw.choices(vocabulary, k=WORDS))
            originals.append((name, text))
            yield name, text, name


def write_input(folder: Path, number: int, seed: int) -> dict[str, str]:
    """Two files a worker; returns id -> id of its original."""
    files = [(folder / f"{part:05d}.jsonl").open("w") for part in range(2 * WORKERS)]
    truth = {}
    for row, (name, text, source) in enumerate(documents(number, seed)):
        files[row % len(files)].write(json.dumps({"id": name, "text": text}) + "\n")
        truth[name] = source
    for file in files:
        file.close()
    return truth


def quality(clusters: dict[str, str], truth: dict[str, str]) -> dict[str, float]:
    """Recall and precision over pairs of one planted family that ended in one cluster."""

    def pairs(groups: dict[str, str]) -> set[tuple[str, str]]:
        members: dict[str, list[str]] = {}
        for name, group in groups.items():
            members.setdefault(group, []).append(name)
        return {pair for names in members.values() for pair in combinations(sorted(names), 2)}

    found, planted = pairs(clusters), pairs(truth)
    both = len(found & planted)
    return {
        "recall": round(both / len(planted), 5) if planted else 1.0,
        "precision": round(both / len(found), 5) if found else 1.0,
    }


def run_ours(source: Path, work: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Times and counts, and id -> cluster."""
    from etl.dedup.config import DedupConfig
    from etl.dedup.frame import dedup_frame
    from etl.tables.session import SparkConfig, spark_session

    started = time.monotonic()
    spark = spark_session(SparkConfig(master=f"local[{WORKERS}]"))
    spark_start = time.monotonic() - started
    started = time.monotonic()
    frame = spark.read.schema("id string, text string").json(str(source))
    result = dedup_frame(frame, DedupConfig(profile="datatrove"))
    result.kept.write.mode("overwrite").parquet(str(work / "kept"))
    seconds = time.monotonic() - started
    rows = result.clusters.select("id", "cluster_id").collect()
    report = result.report
    figures = {
        "seconds": round(seconds, 2),
        "spark_start_seconds": round(spark_start, 2),
        "kept": report.kept,
        "documents_per_second": round(report.rows_in / seconds, 1),
    }
    return figures, {row["id"]: row["cluster_id"] for row in rows}


def run_peer(python: str, source: Path, work: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The same for datatrove; it runs in its own process and reports the seconds of its steps."""
    program = Path(__file__).with_name("dedup_datatrove.py")
    done = subprocess.run(
        [python, str(program), str(source), str(work / "peer"), str(WORKERS)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the peer failed: {done.stderr.strip()[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    clusters = figures.pop("clusters")
    return figures, clusters


def run(documents: int = 100_000, peer_python: str | None = None, seed: int = 1) -> dict[str, Any]:
    """Runs ours, and the peer when its interpreter is given; `ratio` is peer seconds over ours."""
    with tempfile.TemporaryDirectory() as folder:
        source, work = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        work.mkdir()
        truth = write_input(source, documents, seed)
        figures: dict[str, Any] = {"documents": documents, "seed": seed, "workers": WORKERS}
        figures["bytes"] = sum(path.stat().st_size for path in source.iterdir())
        ours, clusters = run_ours(source, work)
        figures["ours"] = ours | quality(clusters, truth)
        if peer_python:
            peer, clusters = run_peer(peer_python, source, work)
            peer["documents_per_second"] = round(documents / peer["seconds"], 1)
            figures["datatrove"] = peer | quality(clusters, truth)
            figures["ratio"] = round(peer["seconds"] / ours["seconds"], 1)
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--peer-python", help="interpreter of an environment with datatrove")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the figures on one line")
    options = parser.parse_args(arguments)
    figures = run(options.documents, options.peer_python, options.seed)
    sys.stdout.write(json.dumps(figures, indent=None if options.json else 1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
