"""The asset checks, beside the assets they check."""

from collections.abc import Mapping

import dagster as dg

from orchestration.checks.artefacts import ARTEFACT_CHECKS
from orchestration.checks.sources import counts_reconcile
from orchestration.checks.tables import TABLE_CHECKS
from orchestration.sources.config import Source


def build_checks(sources: Mapping[str, Source]) -> list[dg.AssetChecksDefinition]:
    """The graph's own, and one for each source."""
    return [*TABLE_CHECKS, *ARTEFACT_CHECKS, *map(counts_reconcile, sources.values())]
