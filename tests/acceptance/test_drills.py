"""The demo killed at random moments, and a command on a disk that is really full."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from etl.tables.store import Store
from schemas.manifest import IndexedDatasetManifest
from schemas.tables import TABLES
from tests.acceptance.conftest import Deployment, deployment
from tests.conftest import missing_part

pytestmark = pytest.mark.spark
_KILLS = 4


def contents(spark: SparkSession, home: Path) -> dict[str, set[str]]:
    """Every table's rows as hashes, without the columns that a clock or a file's layout writes."""
    store = Store(spark, str(home / "store"))
    return {
        name: {
            hashlib.sha256(row.encode()).hexdigest()
            for row in store.read(spec).select(*spec.stable_columns).toJSON().collect()
        }
        for name, spec in TABLES.items()
    }


def token_files(home: Path) -> dict[str, str]:
    """The checksum of every shard's files, by their names."""
    return {
        f"{shard.name}.{part}": digest
        for path in sorted((home / "tokens").glob("*.manifest.json"))
        for shard in IndexedDatasetManifest.read(path).shards
        for part, digest in shard.sha256.items()
    }


@pytest.mark.drill
@pytest.mark.timeout(1500)
def test_a_demo_killed_anywhere_ends_with_the_same_data(
    demo: tuple[Deployment, dict], spark: SparkSession, tmp_path: Path, seed: int
) -> None:
    whole, report = demo
    site = whole.settings()["sample_site"]
    place = deployment(tmp_path, site["seed"], site["port"])
    rng = random.Random(seed)
    for _ in range(_KILLS):
        with subprocess.Popen(
            place.command("demo"), env=place.environment(), cwd=place.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                process.wait(timeout=rng.uniform(6, 45))
            except subprocess.TimeoutExpired:
                # Only this process: its JVM, crawl and training have to notice by themselves.
                os.kill(process.pid, signal.SIGKILL)
    done = place.foundry("demo", "--json")
    assert done.returncode == 0, f"seed {seed}\n{done.stderr[-4000:]}"
    assert json.loads(done.stdout.splitlines()[-1])["in"] == report["in"]
    assert contents(spark, place.home) == contents(spark, whole.home)
    assert token_files(place.home) == token_files(whole.home)


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_second_demo_changes_nothing(
    demo: tuple[Deployment, dict], spark: SparkSession, tmp_path: Path
) -> None:
    place, _ = demo
    copy = Deployment(tmp_path, tmp_path / "profile.yaml")
    shutil.copytree(place.home, copy.home)
    copy.profile.write_text(place.profile.read_text().replace(str(place.home), str(copy.home)))
    before = {spec.name: Store(spark, str(copy.home / "store")).version(spec) for spec in _CORPUS}
    done = copy.foundry("demo", "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    assert contents(spark, copy.home) == contents(spark, place.home)
    assert token_files(copy.home) == token_files(place.home)
    after = {spec.name: Store(spark, str(copy.home / "store")).version(spec) for spec in _CORPUS}
    assert after == before, "a MERGE that finds nothing to do commits nothing"


_CORPUS = (TABLES["corpus"], TABLES["frontier"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        missing_part("the right to mount a small tmpfs (root)")
    yield folder
    # Lazy: a JVM that is on its way out may still hold a file.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("verb", ["extract", "tokenize"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    small_disk: Path, tmp_path: Path, seed: int, verb: str
) -> None:
    rng = random.Random(seed)
    source = tmp_path / "in.jsonl"
    with source.open("w") as stream:
        for number in range(6000):
            text = " ".join(f"word{rng.randrange(10**9)}" for _ in range(300))
            stream.write(json.dumps({"id": f"{number}", "text": text}) + "\n")
    target = small_disk / "out"
    more: list[str] = []
    if verb == "tokenize":
        from tokenizers_mm.text.config import TokenizerConfig
        from tokenizers_mm.text.train import train_on_texts

        train_on_texts(["a few words"], tmp_path / "tokenizer", TokenizerConfig(vocab_size=400))
        more = ["--tokenizer", str(tmp_path / "tokenizer" / "tokenizer.json")]
    place = deployment(tmp_path / "place", seed, 8765)
    done = place.foundry(verb, str(source), str(target), *more)
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "foundry: error: no space left on device; free some space and run the same command again"
    )
    assert not list(small_disk.iterdir())
