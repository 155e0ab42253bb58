"""Settings of tokenising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.vocabulary import END_OF_DOCUMENT
from tokenizers_mm.indexed.format import DTYPE_CODES
from tokenizers_mm.text.encode import ENCODERS


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensConfig:
    """How text becomes an indexed dataset.

    `single` writes PREFIX.bin in place of PREFIX-NNNNN.bin shards of about `documents_per_shard`.
    `dtype` auto is what Megatron would choose. `encoder` is gigatoken, or tokenizers for files that
    gigatoken cannot load. `end_of_document` counts when no manifest lies beside the tokenizer.json.
    `validation_share` of the documents, chosen by a hash with `seed`, is held out (`split_frame`).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    documents_per_shard: int = 50_000
    single: bool = False
    dtype: str = "auto"
    encoder: str = "gigatoken"
    end_of_document: str = END_OF_DOCUMENT
    max_document_bytes: int = 16 << 20
    validation_share: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.documents_per_shard < 1:
            raise ValueError(f"documents_per_shard is {self.documents_per_shard}; at least 1")
        if self.dtype != "auto" and self.dtype not in DTYPE_CODES:
            raise ValueError(f"dtype is {self.dtype!r}; one of auto, {', '.join(DTYPE_CODES)}")
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder is {self.encoder!r}; one of {', '.join(ENCODERS)}")
        if not 1 <= self.max_document_bytes < 1 << 30:
            raise ValueError(f"max_document_bytes is {self.max_document_bytes}; 1 to 1 GiB")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share is {self.validation_share}; 0 to below 1")
