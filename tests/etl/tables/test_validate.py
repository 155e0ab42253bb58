"""Each table's Great Expectations suite passes on good rows and fails on every kind of bad row."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from etl.tables.store import Store, spark_schema
from etl.tables.validate import validate_frame, validate_table
from schemas.errors import StepError
from schemas.spec import TableSpec
from schemas.tables import FINDINGS, TABLES
from tests.etl.tables.rows import broken, valid_rows

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES.keys())
def test_a_mutated_copy_fails_every_expectation_it_breaks(
    store: Store, spec: TableSpec, tmp_path: Path, seed: int
) -> None:
    rows = valid_rows(spec, 3, random.Random(seed))
    bad = [copy for column in spec.columns for copy in broken(column, rows[0])]
    frame = store.spark.createDataFrame(
        [tuple(row.values()) for row in [*rows, *bad, rows[1]]], spark_schema(spec)
    )
    good = frame.limit(0).union(
        store.spark.createDataFrame([tuple(row.values()) for row in rows], spark_schema(spec))
    )
    passed = validate_frame(good, spec, tmp_path, "good")
    assert (passed.success, passed.failed) == (True, ())
    failed = validate_frame(frame, spec, tmp_path, "mutated")
    rules = sum(len(column.expectations()) - (not column.nullable) for column in spec.columns)
    assert len(failed.failed) == rules + 1  # and the key is no longer unique
    for outcome in (passed, failed):
        assert spec.name in outcome.page.read_text()


def test_a_partition_of_a_stored_table(store: Store, tmp_path: Path, seed: int) -> None:
    with pytest.raises(StepError, match="does not exist yet"):
        validate_table(store, FINDINGS, tmp_path)
    rows = valid_rows(FINDINGS, 3, random.Random(seed))
    frame = store.spark.createDataFrame(
        [tuple(row.values()) for row in rows], spark_schema(FINDINGS)
    )
    store.replace(FINDINGS, frame, {"snapshot": "2026-01-01"})
    result = validate_table(store, FINDINGS, tmp_path, {"snapshot": "2026-01-01"})
    assert result.success
    assert "2026-01-01" in result.page.as_posix()


def test_it_is_there_in_a_process_without_a_main_file() -> None:
    """Dagster's daemon launches runs in such ones."""
    code = "from etl.tables.validate import great_expectations as g; print(g().__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip().endswith("great_expectations"), done.stderr
