"""Output folders that are whole or absent, progress on stderr, and a Spark that keeps quiet."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.storage.location import is_s3, spark_path
from orchestration.cli.remote_output import MARKER, written_in_place
from schemas.errors import InputError
from schemas.report import JobReport

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def progress(message: str) -> None:
    """One line for the person who waits. Never on stdout, which is the report's."""
    print(f"foundry: {message}", file=sys.stderr, flush=True)


def is_remote(path: str) -> bool:
    return "://" in path


def require_input(path: str) -> None:
    """Raises `InputError` for a path that is not there, before anything is started."""
    if is_s3(path):
        from etl.storage.files import located
        from orchestration.profile import load_profile

        place = located(path, load_profile().s3)
        if not (place.is_dir() or place.is_file()):
            raise InputError(f"{path}: no such object or prefix; check the path")
    elif not is_remote(path) and not Path(path).exists():
        raise InputError(f"{path}: no such file or folder; check the path")


def size_of(path: str) -> int:
    """Bytes below a local path; 0 for a remote one, where listing costs requests."""
    if is_remote(path):
        return 0
    root = Path(path)
    files = root.rglob("*") if root.is_dir() else iter((root,))
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def staged(out: str, report: JobReport | None = None) -> Iterator[str]:
    """A folder to write to, which becomes `out` in one rename when the block ends well.

    An `out` of an earlier run is replaced; any other non-empty folder is refused (`InputError`).
    What a killed run left is removed by the next. On S3 see `written_in_place`.
    """
    if is_s3(out):
        from orchestration.profile import load_profile

        with written_in_place(out, report or JobReport(verb=""), load_profile().s3) as place:
            yield place
        return
    target = Path(out).absolute()
    _require_replaceable(target)
    staging = target.with_name(f".{target.name}.staging")
    previous = target.with_name(f".{target.name}.previous")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield str(staging)
        (staging / MARKER).write_text(json.dumps({"written_by": "foundry"}) + "\n")
        shutil.rmtree(previous, ignore_errors=True)
        if target.exists():
            target.rename(previous)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(previous, ignore_errors=True)


def _require_replaceable(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target}: is a file; name a folder for the output")
    if any(target.iterdir()) and not (target / MARKER).exists():
        raise InputError(f"{target}: holds files that foundry did not write; name another folder")


class Writer:
    """Writes an output's tables below a staging folder and notes where they will lie."""

    def __init__(self, staging: str, out: str, file_format: str, report: JobReport) -> None:
        self._staging, self._out, self._format = staging, out.rstrip("/"), file_format
        self.report = report

    @property
    def folder(self) -> str | None:
        """The local folder that becomes the output; None where it is written in place, on S3."""
        return None if is_s3(self._staging) else self._staging

    @property
    def file_format(self) -> str:
        return self._format

    def write_facts(self, name: str, facts: dict[str, Any]) -> None:
        """Writes a small JSON file beside the tables, which pass over its name (`_x.json`)."""
        text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
        if self.folder is None:
            from etl.storage.location import Location
            from etl.storage.objects import write_object
            from orchestration.profile import load_profile

            write_object(
                Location.parse(self._staging).child(name), text.encode(), load_profile().s3
            )
        else:
            Path(self.folder, name).write_text(text, encoding="utf-8")

    def written(self, name: str, folder: str) -> None:
        """Notes a table that was written below `folder` by other hands."""
        self.report.outputs[name] = f"{self._out}/{folder}".rstrip("/")

    def write(self, frame: DataFrame, name: str, folder: str | None = None) -> None:
        """Writes `frame` as OUT/`folder` (default: `name`); folder "" is OUT itself."""
        part = name if folder is None else folder
        path = f"{self._staging}/{part}".rstrip("/")
        # On S3 a table of an earlier run may be there, with other columns.
        writer = frame.write.format(self._format).mode("overwrite").option("overwriteSchema", True)
        writer.save(spark_path(path))
        self.written(name, part)


@contextmanager
def quiet_descriptors(log: Path) -> Iterator[None]:
    """Points the process's stdout and stderr at `log`, so that a child started here inherits it."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        yield
    finally:
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(handle)


def quiet_session(debug: bool = False, *paths: str) -> SparkSession:
    """The process's Spark session, with the JVM's own chatter in a log file instead of here. It
    reaches S3 when one of `paths` lies there."""
    from etl.tables.session import spark_session
    from orchestration.profile import load_profile

    profile = load_profile()
    config, s3 = profile.spark, profile.s3 if any(map(is_s3, paths)) else None
    if debug:
        return spark_session(config, s3)
    # The JVM keeps the descriptor; the name goes away with the folder, so nothing is left.
    with (
        tempfile.TemporaryDirectory(prefix="foundry-") as folder,
        quiet_descriptors(Path(folder) / "spark.log"),
    ):
        return spark_session(config, s3)
