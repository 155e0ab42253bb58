"""Settings of the text tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.vocabulary import END_OF_DOCUMENT, VLA_SPECIAL_TOKENS

_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerConfig:
    """How the tokenizer comes about.

    `path` names a tokenizer.json to adopt; empty means: train one. `vocab_size` counts the special
    tokens; a small corpus may give fewer. `sample_bytes` bounds what training reads, and
    `sample_document_characters` how much of it one document may be. `add_special_tokens` adds those
    of `vla` pretraining that an adopted tokenizer lacks, behind its last id.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: str = ""
    name: str = "token-foundry-bpe"
    vocab_size: int = 8192
    min_frequency: int = 2
    sample_bytes: int = 64 << 20
    sample_document_characters: int = 100_000
    seed: int = 0
    end_of_document: str = END_OF_DOCUMENT
    add_special_tokens: bool = True

    def __post_init__(self) -> None:
        least = _BYTES + len(VLA_SPECIAL_TOKENS)
        if self.vocab_size < least:
            raise ValueError(f"vocab_size is {self.vocab_size}; bytes and specials need {least}")
        for field in ("min_frequency", "sample_bytes", "sample_document_characters"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be positive")
        if not self.path and self.end_of_document not in VLA_SPECIAL_TOKENS:
            raise ValueError(
                f"end_of_document is {self.end_of_document!r}, which is no special token of "
                "schemas/vocabulary.py; a trained tokenizer has no other"
            )
