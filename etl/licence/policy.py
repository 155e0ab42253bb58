"""The policy: a licence matrix, what documents are to be used for, and what unknown means.

`Policy.decide` is a pure function. It asks, in this order: does the page or its host reserve the
use (the strictest reservation counts); has the source a grant of its own; is the licence unknown;
which group lists it; may the verdict rest on this evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from etl.licence.matrix import OTHER_OPT_OUT, UNLISTED, Matrix, Verdict, load_matrix
from etl.licence.spdx import alternatives
from schemas.identity import UNKNOWN_LICENCE, config_hash

_STRICTNESS: dict[Verdict, int] = {"allow": 0, "review": 1, "deny": 2}
_UNKNOWN: dict[str, Verdict] = {"allow": "allow", "quarantine": "review", "reject": "deny"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceConfig:
    """Which matrix (a file, or a name in deploy/licences) and which of its uses.

    `unknown` says what happens to a document without a known licence, except those of the sources
    in `unknown_allowed`, which are let in. Raises `ValueError` naming the field.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    matrix: str = "matrix"
    use: str = "train_text"
    unknown: Literal["reject", "quarantine", "allow"] = "reject"
    unknown_allowed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.unknown not in _UNKNOWN:
            raise ValueError(f"unknown: {self.unknown!r} is none of {', '.join(_UNKNOWN)}")
        if isinstance(self.unknown_allowed, str):
            raise ValueError("unknown_allowed: must be a list of sources, not one string")


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` is the stable id of what decided; `conditions` are what an allowed use asks for."""

    verdict: Verdict
    rule: str
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A matrix with the profile's settings. Raises `ValueError` for a use that it does not have."""

    matrix: Matrix
    config: LicenceConfig

    def __post_init__(self) -> None:
        if self.config.use not in self.matrix.uses:
            uses = ", ".join(self.matrix.uses)
            raise ValueError(f"use: {self.config.use!r} is none of the matrix's: {uses}")

    @property
    def hash(self) -> str:
        """Changes when any line of the matrix does, or a setting; not with the file's name."""
        settings = dataclasses.asdict(self.config)
        return config_hash(settings | {"matrix": self.matrix.model_dump(mode="json")})

    def decide(
        self,
        licence: str,
        *,
        source: str = "",
        opt_outs: Iterable[str] = (),
        evidence: Iterable[str] = (),
    ) -> Decision:
        """`licence` is an SPDX expression, a `LicenseRef-` or `unknown`; `evidence` are the kinds
        of what states it (none known: the licence is taken as it is)."""
        decisions = [self._choice(choice, source) for choice in alternatives(licence)]
        decision = min(decisions, key=_strictness)
        kinds = set(evidence)
        if kinds and kinds <= set(self.matrix.weak_evidence) and decision.verdict == "allow":
            decision = Decision("review", f"evidence.{min(kinds)}", decision.conditions)
        reserved = [self._opt_out(name) for name in sorted(set(opt_outs))]
        return max([decision, *reserved], key=_strictness)

    def _choice(self, licences: list[str], source: str) -> Decision:
        """All of these bind together: the strictest counts, and the conditions add up."""
        each = [self._one(licence, source) for licence in licences]
        strictest = max(each, key=_strictness)
        conditions = dict.fromkeys(name for one in each for name in one.conditions)
        return dataclasses.replace(strictest, conditions=tuple(conditions))

    def _one(self, licence: str, source: str) -> Decision:
        use = self.config.use
        known = licence != UNKNOWN_LICENCE
        group = self.matrix.group_of(licence) if known else None
        name = group.name if group else UNLISTED if known else UNKNOWN_LICENCE
        conditions = group.conditions if group else ()
        for override in self.matrix.overrides:
            if override.source == source and name in override.groups:
                return Decision(override.uses[use], f"override.{source}.{name}", conditions)
        if not known:
            allowed = source in self.config.unknown_allowed
            verdict = "allow" if allowed else _UNKNOWN[self.config.unknown]
        else:
            verdict = (group.uses if group else self.matrix.unlisted)[use]
        return Decision(verdict, f"licence.{name}", conditions)

    def _opt_out(self, name: str) -> Decision:
        listed = name if name in self.matrix.opt_outs else OTHER_OPT_OUT
        return Decision(self.matrix.opt_outs[listed][self.config.use], f"opt_out.{listed}")


def load_policy(config: LicenceConfig) -> Policy:
    """Reads the matrix that `config` names. Raises `InputError` naming the file and the key."""
    from schemas.errors import InputError

    try:
        return Policy(load_matrix(config.matrix), config)
    except ValueError as error:
        raise InputError(f"profile: licences.{error}; correct the value") from None


def _strictness(decision: Decision) -> int:
    return _STRICTNESS[decision.verdict]
