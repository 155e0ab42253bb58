"""`JobReport`: what a command or an asset did, in counts that must reconcile."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import StepError


class JobReport(BaseModel):
    """The one JSON object that `--json` prints last.

    `rows_in` is printed as `in`. `extra` holds a verb's own keys (`tokens`, `documents`...), which
    are printed beside the common ones.
    """

    model_config = ConfigDict(extra="forbid")

    verb: str
    rows_in: int = 0
    kept: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)
    quarantined: int = 0
    bytes_in: int = 0
    seconds: float = 0.0
    outputs: dict[str, str] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)

    @property
    def reconciles(self) -> bool:
        """Every row in ended in exactly one place."""
        return self.rows_in == self.kept + sum(self.rejected.values()) + self.quarantined

    def require_reconciled(self) -> JobReport:
        """Returns itself, or raises `StepError` when rows were lost or counted twice."""
        if self.reconciles:
            return self
        placed = self.kept + sum(self.rejected.values()) + self.quarantined
        raise StepError(
            f"{self.verb}: {self.rows_in} rows in but {placed} placed (kept {self.kept}, "
            f"rejected {sum(self.rejected.values())}, quarantined {self.quarantined}); "
            "run it again, and report this as a bug if it stays"
        )

    def to_json(self) -> str:
        common = self.model_dump(exclude={"rows_in", "extra", "verb"})
        common["seconds"] = round(self.seconds, 3)
        return json.dumps(
            {"verb": self.verb, "in": self.rows_in, **common, **self.extra}, ensure_ascii=False
        )
