"""`training` is installed alone in the GPU image: no Spark, no Dagster, nothing of `etl`."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
for name in ("pyspark", "dagster", "delta", "scrapy", "etl", "tokenizers_mm", "orchestration"):
    sys.modules[name] = None
import training
found = [item.name for item in pkgutil.walk_packages(training.__path__, "training.")]
for name in found:
    importlib.import_module(name)
assert "training.loop.train" in found and "training.launch.slurm.jobs" in found, found
"""

LIGHT = """
import sys, training.launch.local, training.launch.slurm, training.metrics, training.recipes
assert "torch" not in sys.modules and "megatron" not in sys.modules
"""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_module_imports_without_the_data_side() -> None:
    run(PROGRAM)


def test_launchers_and_readers_do_not_import_torch() -> None:
    run(LIGHT)
