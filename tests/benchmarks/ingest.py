"""Ingest of JSONL.zst side by side with pyarrow, which only parses it: seconds and ratios.

`python tests/benchmarks/ingest.py [--megabytes 200] [--files 1] [--rounds 3]`: generates lines with
FineWeb's fields, and times in turn, round by round,

- pyarrow alone: the zstd stream through `pyarrow.json.read_json` (the table in memory) and through
  `open_json` (batch by batch, nothing kept), one process, its default threads and settings; and
  `read_json` with the table written to Parquet, which is the same job as ingest;
- our reader alone (parsed and mapped, nothing written), one process without Spark;
- `foundry ingest --map fineweb` to a Delta table, through Spark, and the same without a map;
- datatrove's JsonlReader, where it is installed.

Spark's start is told apart, and so is its first job, in which the JVM and the workers load their
code. CPU seconds (of this process, the JVM and the workers) are told beside the wall's, as they do
not depend on who else uses the machine. Prints one JSON object; ratios are of the median round.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CARD = "---\nlicense: odc-by\n---\n# Citation\n@misc{generated, title={Generated lines}}\n"
_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def generate(folder: Path, megabytes: int, files: int, seed: int) -> int:
    """Writes the files and a card; returns the number of records."""
    import zstandard

    draw = random.Random(seed)
    words = ["".join(draw.choices(_LETTERS, k=draw.randint(2, 9))) for _ in range(20_000)]
    pool = draw.choices(words, [1 / (rank + 3) for rank in range(len(words))], k=1_000_000)
    (folder / "README.md").write_text(_CARD)
    count = 0
    for number in range(files):
        with (
            (folder / f"train-{number:05}.jsonl.zst").open("wb") as raw,
            zstandard.ZstdCompressor().stream_writer(raw) as packed,
        ):
            size = 0
            while size < megabytes * 1_000_000 // files:
                size += packed.write(_line(draw, pool, count))
                count += 1
    return count


def _line(draw: random.Random, pool: list[str], number: int) -> bytes:
    length = draw.randint(60, 1200)
    start = draw.randrange(len(pool) - length)
    taken = pool[start : start + length]
    text = "\n".join(" ".join(taken[at : at + 40]) + "." for at in range(0, length, 40))
    text += ' "quoted"' if number % 3 else " naïve café 北京"
    record = {
        "text": text,
        "id": f"<urn:uuid:{draw.getrandbits(128):032x}>",
        "dump": "CC-MAIN-2024-10",
        "url": f"https://www.example{number % 5000}.org/page/{number}",
        "date": f"2024-02-21T12:{number // 60 % 60:02}:{number % 60:02}Z",
        "file_path": f"s3://commoncrawl/crawl-data/warc/CC-MAIN-20240220-{number % 900:05}.warc.gz",
        "language": "en",
        "language_score": round(draw.uniform(0.65, 1), 10),
        "token_count": length * 4 // 3,
    }
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _read_json(folder: Path) -> int:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    files = sorted(folder.glob("*.zst"))
    return sum(
        arrow_json.read_json(pa.CompressedInputStream(str(file), "zstd")).num_rows for file in files
    )


def _open_json(folder: Path) -> int:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    return sum(
        batch.num_rows
        for file in sorted(folder.glob("*.zst"))
        for batch in arrow_json.open_json(pa.CompressedInputStream(str(file), "zstd"))
    )


def _read_and_write(folder: Path) -> int:
    import pyarrow as pa
    from pyarrow import json as arrow_json
    from pyarrow.parquet import write_table

    rows = 0
    for file in sorted(folder.glob("*.zst")):
        table = arrow_json.read_json(pa.CompressedInputStream(str(file), "zstd"))
        write_table(table, folder.with_name("written.parquet"))
        rows += table.num_rows
    return rows


def _reader(folder: Path) -> int:
    from etl.ingest.columns import kept_batch
    from etl.ingest.config import IngestConfig
    from etl.ingest.corpus import load_corpus
    from etl.ingest.corpus_files import corpus_parts
    from etl.ingest.mapped import mapped_schema

    config = IngestConfig(field_map="fineweb")
    corpus = load_corpus(str(folder), config)
    if corpus is None:
        raise SystemExit("no field map")
    schema, rows = mapped_schema(corpus.map), 0
    for file in sorted(folder.glob("*.zst")):
        for part in corpus_parts(str(file), corpus, config):
            batch = kept_batch(part, schema)
            rows += batch.num_rows if batch else 0
    return rows


def _datatrove(folder: Path) -> int:
    from datatrove.pipeline.readers import JsonlReader

    reader = JsonlReader(str(folder), glob_pattern="*.zst", compression="zstd")
    return sum(1 for _ in reader())


def _foundry(out: Path, *options: str) -> Callable[[Path], int]:
    def run(folder: Path) -> int:
        from orchestration.cli.main import main

        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            fresh = f"{out}-{time.monotonic_ns()}"
            status = main(["ingest", str(folder), fresh, "--json", *options])
        if status:
            raise SystemExit(f"foundry ingest ended with {status}")
        return int(json.loads(said.getvalue().splitlines()[-1])["kept"])

    return run


def run(megabytes: int, files: int, rounds: int, seed: int) -> dict[str, Any]:
    """Seconds of every contestant and round, and the ratios to pyarrow of the medians."""
    with tempfile.TemporaryDirectory(prefix="ingest-") as name:
        data, out = Path(name, "data"), Path(name, "out")
        data.mkdir()
        records = generate(data, megabytes, files, seed)
        packed = sum(file.stat().st_size for file in data.glob("*.zst"))
        started = time.perf_counter()
        from orchestration.cli.output import quiet_session

        quiet_session()
        start = time.perf_counter() - started
        first = _first_job()
        contestants: dict[str, Callable[[Path], int]] = {
            "pyarrow_read_json": _read_json,
            "pyarrow_open_json": _open_json,
            "pyarrow_read_json_write_parquet": _read_and_write,
            "foundry_reader": _reader,
            "foundry_ingest_map": _foundry(out, "--map", "fineweb"),
        }
        plain = Path(name, "plain")  # without the card, which is no record
        plain.mkdir()
        for file in data.glob("*.zst"):
            (plain / file.name).hardlink_to(file)
        without = _foundry(Path(name, "out2"))
        contestants["foundry_ingest_without_map"] = lambda _: without(plain)
        with contextlib.suppress(ImportError):
            import datatrove  # noqa: F401

            contestants["datatrove_reader"] = _datatrove
        seconds: dict[str, list[float]] = {one: [] for one in contestants}
        cpu: dict[str, list[float]] = {one: [] for one in contestants}
        for _ in range(rounds):
            for one, work in contestants.items():
                started, used = time.perf_counter(), _cpu_seconds()
                found = work(data)
                seconds[one].append(round(time.perf_counter() - started, 3))
                cpu[one].append(round(_cpu_seconds() - used, 2))
                if found != records:
                    raise SystemExit(f"{one} gave {found} records of {records}")
    median = {one: statistics.median(found) for one, found in seconds.items()}
    median_cpu = {one: statistics.median(found) for one, found in cpu.items()}
    return {
        "records": records,
        "megabytes": megabytes,
        "megabytes_compressed": round(packed / 1e6, 1),
        "files": files,
        "spark_start_seconds": round(start, 2),
        "spark_first_job_seconds": round(first, 2),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "ratio_to_read_json": _ratios(median, "pyarrow_read_json"),
        "ratio_to_open_json": _ratios(median, "pyarrow_open_json"),
        "ratio_to_read_json_and_write": _ratios(median, "pyarrow_read_json_write_parquet"),
        "cpu_ratio_to_read_json": _ratios(median_cpu, "pyarrow_read_json"),
    }


def _first_job() -> float:
    """Seconds of a job that does nothing, in a worker."""
    from pyspark.sql import SparkSession

    started = time.perf_counter()
    spark = SparkSession.getActiveSession()
    if spark is None:
        raise SystemExit("no Spark session")
    spark.range(2).mapInArrow(lambda batches: batches, "id long").collect()
    return time.perf_counter() - started


def _cpu_seconds() -> float:
    """Of this process and all below it: Spark's JVM and its Python workers."""
    import psutil

    me, total = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _ratios(median: dict[str, float], to: str) -> dict[str, float]:
    return {one: round(value / median[to], 2) for one, value in median.items() if one != to}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=200, help="inflated, of all files")
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    args = parser.parse_args()
    found = run(args.megabytes, args.files, args.rounds, args.seed)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
