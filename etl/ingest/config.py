"""Settings of reading input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from etl.storage.config import S3Config


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """`source` names where the records come from and is part of a page's identity. A page, line or
    record of more than `max_record_bytes` bytes is quarantined as `too_large`, and never held in
    memory whole. `batch_bytes` bounds what a worker holds before it hands rows on. `s3` reaches the
    objects of an `s3://` path. `field_map` and `card` name a corpus's field map and dataset card.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    source: str = "files"
    max_record_bytes: int = 8_000_000
    batch_bytes: int = 16_000_000
    s3: S3Config = field(default_factory=S3Config)
    field_map: str = ""
    card: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("source is empty; name where the records come from")
        for name in ("max_record_bytes", "batch_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
