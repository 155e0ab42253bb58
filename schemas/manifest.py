"""Manifests: what lies on the disk beside tokens and blends, with the checksums to prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import InputError
from schemas.vocabulary import Vocabulary


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `InputError` naming the file when it is missing or not of this form."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such manifest; write it with the step before") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise InputError(f"{path}: {where}: {first['msg']}; rebuild it") from None

    def to_text(self) -> str:
        return self.model_dump_json(indent=2) + "\n"


class TokenizerManifest(_Manifest):
    """A tokenizer and the id space it belongs to."""

    name: str
    sha256: str = Field(description="of the tokenizer.json")
    vocabulary: Vocabulary
    end_of_document: int
    trained_on: dict[str, int] = Field(default_factory=dict, description="table -> Delta version")


class ShardEntry(_Manifest):
    """One `.bin/.idx/.docs.parquet` triple. `name` is relative to the manifest's folder."""

    name: str
    documents: int
    tokens: int
    sha256: dict[str, str] = Field(description="suffix -> SHA-256 of the file")


class IndexedDatasetManifest(_Manifest):
    """A tokenised dataset: its shards, checksums, tokenizer and the table versions it came from."""

    format: int = 1
    modality: str
    dtype: str = Field(description="numpy name of the token type")
    tokenizer_sha256: str
    vocabulary_hash: str
    vocabulary_size: int
    end_of_document: int
    documents: int
    tokens: int
    rejected: dict[str, int] = Field(default_factory=dict, description="rule -> rows left out")
    quarantined: int = 0
    shards: tuple[ShardEntry, ...]
    sources: dict[str, int] = Field(default_factory=dict, description="table -> Delta version")
    config_hash: str
    code_version: str

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for name in ("documents", "tokens"):
            total = sum(getattr(shard, name) for shard in self.shards)
            if total != getattr(self, name):
                raise ValueError(f"{name} is {getattr(self, name)} but the shards hold {total}")
        return self


class BlendEntry(_Manifest):
    """A dataset prefix (absolute or relative to the blend file) and its sampling weight."""

    prefix: str
    weight: float = Field(gt=0)
    tokens: int
    manifest_sha256: str


class BlendManifest(_Manifest):
    """The weighted data path of a training run. Weights sum to 1."""

    entries: tuple[BlendEntry, ...]
    validation: tuple[BlendEntry, ...] = ()
    tokenizer_sha256: str
    vocabulary_hash: str
    vocabulary_size: int
    end_of_document: int

    @model_validator(mode="after")
    def _weights(self) -> Self:
        total = sum(entry.weight for entry in self.entries)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"weights sum to {total}, not 1")
        return self
