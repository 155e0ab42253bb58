from __future__ import annotations

import json

import pytest

from schemas.errors import StepError
from schemas.report import JobReport


def test_json_has_the_common_keys_and_the_verbs_own() -> None:
    report = JobReport(verb="tokenize", rows_in=3, kept=2, rejected={"r": 1}, extra={"tokens": 9})
    assert json.loads(report.require_reconciled().to_json()) == {
        "verb": "tokenize", "in": 3, "kept": 2, "rejected": {"r": 1}, "quarantined": 0,
        "bytes_in": 0, "seconds": 0.0, "outputs": {}, "tokens": 9,
    }  # fmt: skip


@pytest.mark.parametrize("kept", [0, 2])
def test_a_lost_or_doubled_row_is_an_error(kept: int) -> None:
    with pytest.raises(StepError, match=r"4 rows in but \d placed"):
        JobReport(verb="x", rows_in=4, kept=kept, quarantined=1).require_reconciled()
