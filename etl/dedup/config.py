"""What counts as a duplicate: shingles, permutations, bands and the threshold."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from schemas.identity import config_hash

SIGNATURE_VERSION = 1  # raised when the same text and settings give other signatures
EXACT_RULE, NEAR_RULE = "dedup.exact", "dedup.near"
# A missed duplicate is for good; a false candidate costs one comparison of two signatures.
_FALSE_POSITIVE_WEIGHT, _FALSE_NEGATIVE_WEIGHT = 0.1, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The numbers in force: `bands` x `rows` of the `permutations` minima make the candidates."""

    threshold: float
    permutations: int
    bands: int
    rows: int
    ngram: int
    seed: int


@lru_cache(maxsize=16)
def optimal_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """(bands, rows) that datasketch lays out for a threshold and a number of permutations."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(
        threshold=threshold,
        num_perm=permutations,
        weights=(_FALSE_POSITIVE_WEIGHT, _FALSE_NEGATIVE_WEIGHT),
    )
    return int(lsh.b), int(lsh.r)


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupConfig:
    """Settings of the dedup step; 0 means "as the profile says".

    Profile `default`: 5 units a shingle (a word; a character in scripts without spaces), 128
    permutations, Jaccard 0.7, bands laid out by datasketch (20 x 6: a pair at Jaccard 0.8 becomes
    a candidate with probability 0.998). Profile `datatrove`: datatrove's 14 bands x 8 rows, 112
    permutations, word 5-grams; its candidates must also reach 0.7 here.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    profile: str = "default"
    threshold: float = 0.0  # estimated Jaccard similarity, 0..1
    permutations: int = 0
    bands: int = 0  # with `rows`; 0: datasketch lays them out for the threshold
    rows: int = 0
    ngram: int = 0  # units a shingle
    seed: int = 1  # of the permutations
    pairs_per_bucket: int = 16  # up to here all pairs of a bucket are compared, above it a star
    edges_per_task: int = 5_000_000  # up to here one task finds the connected components

    def __post_init__(self) -> None:
        if self.profile not in _PROFILES:
            known = ", ".join(sorted(_PROFILES))
            raise ValueError(f"dedup.profile: {self.profile!r} is not one of {known}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"dedup.threshold: {self.threshold} is not between 0 and 1")
        bounds = {"permutations": 4096, "ngram": 64, "bands": 4096, "rows": 4096}
        for name, most in bounds.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"dedup.{name}: {getattr(self, name)} is not in 0..{most}")
        if self.permutations == 1:
            raise ValueError("dedup.permutations: 1 is too few; use 2 or more")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"dedup.seed: {self.seed} is not in 0..2**32-1")
        if self.pairs_per_bucket < 2:
            raise ValueError(f"dedup.pairs_per_bucket: {self.pairs_per_bucket} is less than 2")
        if self.edges_per_task < 0:
            raise ValueError(f"dedup.edges_per_task: {self.edges_per_task} is negative")
        if (self.bands == 0) != (self.rows == 0):
            raise ValueError("dedup.bands and dedup.rows: set both or neither")
        most = self.permutations or int(_PROFILES[self.profile]["permutations"])
        if self.bands * self.rows > most:
            raise ValueError(
                f"dedup.bands: {self.bands} x {self.rows} rows need more than {most} permutations"
            )

    def layout(self) -> Layout:
        """The numbers in force, the profile's where a setting is 0."""
        preset = _PROFILES[self.profile]
        threshold = self.threshold or float(preset["threshold"])
        permutations = self.permutations or int(preset["permutations"])
        bands, rows = self.bands, self.rows
        if not bands and not (self.permutations or self.threshold):
            bands, rows = int(preset["bands"]), int(preset["rows"])
        if not bands:
            bands, rows = optimal_bands(threshold, permutations)
        return Layout(
            threshold=threshold,
            permutations=permutations,
            bands=bands,
            rows=rows,
            ngram=self.ngram or int(preset["ngram"]),
            seed=self.seed,
        )

    def signature_hash(self) -> str:
        """Equal for signatures that may be compared: whatever changes a signature changes it."""
        layout = self.layout()
        return config_hash(
            {
                "version": SIGNATURE_VERSION,
                "unicode": unicodedata.unidata_version,
                "permutations": layout.permutations,
                "ngram": layout.ngram,
                "seed": layout.seed,
            }
        )


_PROFILES: dict[str, dict[str, Any]] = {
    # 20 x 6 is datasketch's layout for these, written down: its import costs a second.
    "default": {"threshold": 0.7, "permutations": 128, "ngram": 5, "bands": 20, "rows": 6},
    "datatrove": {"threshold": 0.7, "permutations": 112, "ngram": 5, "bands": 14, "rows": 8},
}
