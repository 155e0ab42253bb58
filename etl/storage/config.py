"""Settings of object storage. Credentials are never among them: boto3's own chain finds those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

MIN_PART_BYTES, MAX_PART_BYTES = 5 << 20, 5 << 30  # S3's own limits


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """Where the buckets are and how hard they may be worked.

    `endpoint_url` is a server that speaks S3's protocol; empty is AWS (or `AWS_ENDPOINT_URL_S3`).
    `path_style` puts the bucket into the path instead of the host name, as most such servers ask.
    A file over `part_bytes` goes up in parts of that size; a transfer holds at most
    `max_concurrency` parts in memory. A request is tried `max_attempts` times, with full jitter
    between, and one that says nothing for `timeout_seconds` has failed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    endpoint_url: str = ""
    region: str = ""
    path_style: bool = False
    max_concurrency: int = 8
    part_bytes: int = 16 << 20
    max_attempts: int = 5
    timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.endpoint_url:
            url = urlsplit(self.endpoint_url)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ValueError(f"endpoint_url is {self.endpoint_url!r}; write http(s)://host")
            if url.username or url.password:
                raise ValueError("endpoint_url holds credentials; set AWS_ACCESS_KEY_ID instead")
        for name in ("max_concurrency", "max_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not MIN_PART_BYTES <= self.part_bytes <= MAX_PART_BYTES:
            raise ValueError(
                f"part_bytes is {self.part_bytes}; S3 takes {MIN_PART_BYTES} to {MAX_PART_BYTES}"
            )
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it must be > 0")
