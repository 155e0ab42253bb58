"""The asset checks, beside the assets they check."""

from orchestration.checks.artefacts import ARTEFACT_CHECKS
from orchestration.checks.tables import TABLE_CHECKS

CHECKS = (*TABLE_CHECKS, *ARTEFACT_CHECKS)
