"""What the parent asks of a worker."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etl.platforms.config import PlatformConfig
from etl.platforms.licences import Statement
from etl.platforms.row import Task

FATAL_STATUS = 3  # nothing of the item's: the disk, the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the parent asks for, handed over as a JSON file."""

    root: str
    source: str
    journal: str
    run_hash: str
    config_hash: str
    restarted: bool
    config: dict[str, Any]
    tasks: tuple[Task, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Order:
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "tasks": tuple(map(task_of, values["tasks"]))})

    def platform_config(self) -> PlatformConfig:
        lists = {k: tuple(v) for k, v in self.config.items() if isinstance(v, list)}
        return PlatformConfig(**{**self.config, **lists})


def task_of(values: dict[str, Any]) -> Task:
    """A task as it was written to JSON."""
    stated = values.get("statement")
    return Task(**{**values, "statement": Statement(**stated) if stated else None})
