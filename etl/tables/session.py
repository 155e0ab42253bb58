"""The Spark session: one per process, configured in one place, offline once the JARs are there."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import StepError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from etl.storage.config import S3Config

_DELTA_JARS = ("io.delta_delta-", "io.unitycatalog_")

_QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_QUICK_START = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",  # it makes every shuffle a job of its own
    "spark.databricks.delta.snapshotPartitions": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkConfig:
    """Where Spark runs. `master` is a Spark master URL; a `remote` (sc://...) is Spark Connect.

    `quick_start` suits data that fits one machine's minutes: the JVM compiles less (C1 only), maps
    its classes from an archive where `build_class_archive` has left one, and Spark interprets its
    plans instead of compiling each, which halves the cost of a job on small tables and slows one
    on large ones. `settings` are passed to Spark as they are and win over
    the defaults chosen here.
    """

    master: str = "local[*]"
    remote: str = ""
    driver_memory: str = "3g"
    shuffle_partitions: int = 4
    quick_start: bool = False
    settings: dict[str, str] = field(default_factory=dict)


def jar_folder() -> Path:
    """The cache of Delta's JARs: `$TOKENFOUNDRY_JARS`, or one per version in the user cache."""
    configured = os.environ.get("TOKENFOUNDRY_JARS")
    if configured:
        return Path(configured)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "token-foundry" / f"delta-{version('delta-spark')}-spark-{version('pyspark')}"


def delta_jars() -> list[Path]:
    """The cached JARs; raises `StepError` with the command that fetches them."""
    found = sorted(jar_folder().glob("*.jar"))
    if not found:
        raise StepError(f"no Delta JARs in {jar_folder()}; run `make setup` once with a network")
    return found


def resolve_delta_jars() -> list[Path]:
    """Fetches Delta's JARs through Spark's own resolver (Ivy) into the cache, once.

    Only Delta's own artifacts are kept: Spark ships the rest of what they depend on.
    """
    target = jar_folder()
    if any(target.glob("io.delta_delta-spark*.jar")):
        return delta_jars()
    from delta import configure_spark_with_delta_pip
    from pyspark.sql import SparkSession

    fetch_jars(configure_spark_with_delta_pip(SparkSession.builder), _DELTA_JARS, target)
    return delta_jars()


def fetch_jars(builder: SparkSession.Builder, keep: tuple[str, ...], target: Path) -> None:
    """Starts a session that makes Spark resolve the packages `builder` names; the JARs whose names
    begin with one of `keep` become the folder `target`."""
    with tempfile.TemporaryDirectory() as ivy:
        builder = builder.master("local[1]").config("spark.jars.ivy", ivy)
        builder.config("spark.ui.enabled", "false").getOrCreate().stop()
        staging = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        for jar in Path(ivy, "jars").glob("*.jar"):
            if jar.name.startswith(keep):
                shutil.copy2(jar, staging)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)


def class_archive() -> Path:
    """The archive of Spark's and Delta's loaded classes (JEP 350), bound to this environment."""
    return Path(sys.prefix, "spark.jsa")


def build_class_archive(work: Callable[[SparkSession], None]) -> None:
    """Archives the classes that `work` makes a session load; later sessions start from it.

    A JVM that finds the archive made for other JARs or another Java ignores it. Must be called
    before the process's first session, which it ends.
    """
    from pyspark import SparkContext

    archive, staging = class_archive(), class_archive().with_name(f"spark.{os.getpid()}.jsa")
    archive.unlink(missing_ok=True)
    options = f"{_QUICK_JVM} -XX:ArchiveClassesAtExit={staging} -Xlog:disable"
    session = spark_session(
        SparkConfig(quick_start=True, settings={"spark.driver.extraJavaOptions": options})
    )
    work(session)
    java = SparkContext._gateway
    session.stop()
    if java is not None:
        java.shutdown()
        java.proc.stdin.close()  # its end makes the JVM exit, and write
        if java.proc.wait(timeout=300) == 0 and staging.exists():
            staging.rename(archive)
    staging.unlink(missing_ok=True)


def _quick_start() -> dict[str, str]:
    options = _QUICK_JVM
    if class_archive().exists():
        options += f" -XX:SharedArchiveFile={class_archive()} -Xlog:cds*=off -Xlog:class+path*=off"
    # Only classes of the JVM's own class path can be archived, not those of `spark.jars`.
    jars = os.pathsep.join(str(jar) for jar in delta_jars())
    return _QUICK_START | {
        "spark.driver.extraJavaOptions": options,
        "spark.driver.extraClassPath": jars,
    }


def spark_session(config: SparkConfig | None = None, s3: S3Config | None = None) -> SparkSession:
    """The process's session; started at the first call, shared by every later one.

    With `s3` it reaches `s3a://` paths; raises `StepError` when the JARs for that are missing.
    """
    config = config or SparkConfig()
    session = _started(config, s3 is not None)
    if s3 is not None:
        from etl.tables.s3a import use_s3

        use_s3(session, s3, config.settings)
    return session


def _started(config: SparkConfig, with_s3: bool) -> SparkSession:
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    if config.remote:
        return SparkSession.builder.remote(config.remote).getOrCreate()
    jars = delta_jars()
    if with_s3:
        from etl.tables.s3a import s3a_jars

        jars += s3a_jars()
    # Workers must run this interpreter, whatever `python3` means on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Arrow's allocator gives freed pages back at once, and its next batch asks for them again.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")
    settings = {
        "spark.jars": ",".join(map(str, jars)),
        "spark.driver.memory": config.driver_memory,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": str(config.shuffle_partitions),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir(), "token-foundry-warehouse")),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
        "spark.sql.execution.pyspark.udf.faulthandler.enabled": "true",
        # Tasks that list folders; VACUUM would start Spark's default of 10,000 of them.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(config.shuffle_partitions),
        # Delta replays its log with this many tasks; its default of 50 is meant for huge tables.
        "spark.databricks.delta.snapshotPartitions": str(config.shuffle_partitions),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    if config.quick_start:
        settings |= _quick_start()
    settings |= config.settings
    builder = SparkSession.builder.master(config.master).appName("token-foundry")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
