"""`python -m etl.warm`: what set-up does once so that no run waits for it.

The numba kernels are compiled into their cache, and the classes of a Spark session that reads and
writes Delta go into an archive that later sessions map into memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def compile_kernels() -> None:
    """Runs each kernel once on a few texts of several scripts."""
    from etl.dedup.config import DedupConfig
    from etl.dedup.signatures import sign_texts
    from etl.filter.config import FilterConfig
    from etl.filter.judge import judge

    texts = ["One short text, and then another one.", "一段短文。", ""]
    judge(texts, ["eng", "cmn_Hans", None], FilterConfig())
    sign_texts(pa.array(texts), DedupConfig().layout())


def archive_classes() -> None:
    from etl.tables.session import build_class_archive

    build_class_archive(_typical_work)


def _typical_work(spark: SparkSession) -> None:
    """Touches what the steps use: every kind of write, a Python worker, a join, a sort, JSON."""
    from pyspark.sql import functions as F

    from etl.tables.store import Store
    from schemas.tables import CLUSTERS, FRONTIER

    with tempfile.TemporaryDirectory() as folder:
        store = Store(spark, folder)
        nothing = store.read(FRONTIER)
        for _ in range(2):
            store.merge(FRONTIER, nothing, when_changed="old.url <> new.url", delete=nothing)
            store.replace(CLUSTERS, store.read(CLUSTERS), {"snapshot": "0"})
        numbers = spark.range(4).mapInArrow(_as_it_is, "id long")
        numbers.write.mode("overwrite").json(f"{folder}/numbers")
        read = spark.read.schema("id long").json(f"{folder}/numbers").persist()
        pairs = read.join(numbers, "id").groupBy("id").agg(F.count("*").alias("n"))
        pairs.orderBy("id").localCheckpoint().collect()


def _as_it_is(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


if __name__ == "__main__":
    compile_kernels()
    archive_classes()
