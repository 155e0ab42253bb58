"""Great Expectations over the tables: the suite is the `TableSpec`'s, the report its Data Docs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from etl.tables.store import Store, partition_filter
from schemas.errors import StepError
from schemas.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The result of a suite: `failed` says which expectation on which column, and how often.

    `page` is its page in the Data Docs, which leads to all others.
    """

    table: str
    success: bool
    evaluated: int
    failed: tuple[str, ...]
    page: Path


def validate_table(
    store: Store, spec: TableSpec, docs_root: Path, where: Mapping[str, str] | None = None
) -> Validation:
    """Validates the table (or its partition `where`) and adds the result to the Data Docs.

    Raises `StepError` when the table was never written.
    """
    if not store.exists(spec):
        raise StepError(f"table {spec.name} does not exist yet; materialise its asset first")
    frame = store.read(spec)
    if where:
        frame = frame.where(partition_filter(where))
    run = "-".join([f"v{store.version(spec)}", *(where or {}).values()])
    return validate_frame(frame, spec, docs_root, run)


def great_expectations() -> Any:
    """The package, imported in any process.

    It imports PySpark's Connect client, which takes a process whose main module has no file (one
    that Dagster's daemon launches a run in) for its own doctests, and ends it.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # nothing leaves the machine
    main = sys.modules["__main__"]
    nameless = not hasattr(main, "__file__")
    if nameless:
        main.__file__ = __file__
    try:
        import great_expectations as gx
    finally:
        if nameless:  # multiprocessing would start its children from it
            del main.__file__
    return gx


def validate_frame(frame: DataFrame, spec: TableSpec, docs_root: Path, run: str) -> Validation:
    """Runs the suite of `spec` on `frame`; `run` names its entry in the Data Docs."""
    gx = great_expectations()
    from great_expectations.checkpoint.actions import UpdateDataDocsAction
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    docs_root.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=str(docs_root))
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = gx.ExpectationSuite(name=spec.name)
    for expectation in spec.expectations():
        suite.add_expectation_configuration(ExpectationConfiguration(**expectation))
    asset = context.data_sources.add_or_update_spark("spark").add_dataframe_asset(spec.name)
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(
            name=spec.name,
            data=asset.add_batch_definition_whole_dataframe("rows"),
            suite=context.suites.add_or_update(suite),
        )
    )
    frame = frame.select(*spec.column_names)
    # Counts of all rules cost one pass; examples cost a pass a rule: only a failure needs them.
    # They are keys and codes: no column of free text has a rule.
    for result_format in ("BOOLEAN_ONLY", "SUMMARY"):
        checkpoint = gx.Checkpoint(
            name=spec.name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="data_docs")],
            result_format=result_format,
        )
        outcome = context.checkpoints.add_or_update(checkpoint).run(
            batch_parameters={"dataframe": frame}, run_id=gx.RunIdentifier(run_name=run)
        )
        if outcome.success:
            break
    ((identifier, result),) = outcome.run_results.items()
    (site,) = context.get_docs_sites_urls(resource_identifier=identifier)
    return Validation(
        table=spec.name,
        success=bool(result.success),
        evaluated=len(result.results),
        failed=tuple(_explain(item) for item in result.results if not item.success),
        page=Path(unquote(str(site["site_url"])).removeprefix("file://")),
    )


def _explain(item: Any) -> str:
    kwargs = item.expectation_config.kwargs
    subject = kwargs.get("column") or kwargs.get("column_list") or kwargs.get("column_set")
    error = (item.exception_info or {}).get("exception_message")
    detail = error or f"{(item.result or {}).get('unexpected_count', '?')} unexpected"
    return f"{item.expectation_config.type}({subject}): {detail}"
