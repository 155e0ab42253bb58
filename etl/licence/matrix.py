"""The licence matrix: a versioned YAML file that says which licence may be used for what."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from etl.licence.evidence import TIERS
from schemas.errors import InputError
from schemas.identity import UNKNOWN_LICENCE

Verdict = Literal["allow", "deny", "review"]
MATRICES = Path(__file__).resolve().parents[2] / "deploy" / "licences"
UNLISTED = "unlisted"
OTHER_OPT_OUT = "other"
_NAME = r"^[a-z][a-z0-9_-]*$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Part):
    """Licences of the same terms. `conditions`: what their use asks for."""

    name: str = Field(pattern=_NAME)
    licences: tuple[str, ...] = Field(min_length=1)
    conditions: tuple[str, ...] = ()
    uses: dict[str, Verdict]

    def holds(self, licence: str) -> bool:
        return any(fnmatch.fnmatchcase(licence.lower(), p.lower()) for p in self.licences)


class Override(_Part):
    """For one source and the groups named, these verdicts replace the groups'."""

    source: str = Field(min_length=1)
    groups: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    uses: dict[str, Verdict]


class Matrix(_Part):
    """See deploy/licences/matrix.yaml, which explains each key."""

    version: str = Field(min_length=1)
    uses: tuple[str, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = Field(min_length=1)
    unlisted: dict[str, Verdict]
    opt_outs: dict[str, dict[str, Verdict]]
    weak_evidence: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Matrix:
        """Nothing is left to a default: each table of verdicts has each use, and no other."""
        tables = {f"groups.{group.name}.uses": group.uses for group in self.groups}
        tables |= {"unlisted": self.unlisted}
        tables |= {f"opt_outs.{name}": verdicts for name, verdicts in self.opt_outs.items()}
        tables |= {f"overrides.{one.source}.uses": one.uses for one in self.overrides}
        for where, verdicts in tables.items():
            _same(where, "use", set(verdicts), set(self.uses))
        names = [group.name for group in self.groups]
        for name in (*names, UNKNOWN_LICENCE, UNLISTED):
            if (*names, UNKNOWN_LICENCE, UNLISTED).count(name) > 1:
                raise ValueError(f"groups: the name {name!r} is taken; choose another")
        for one in self.overrides:
            _known(f"overrides.{one.source}.groups", one.groups, {*names, "unknown", UNLISTED})
        _known("weak_evidence", self.weak_evidence, set(TIERS))
        if OTHER_OPT_OUT not in self.opt_outs:
            raise ValueError("opt_outs: 'other' is missing; add what an unlisted opt-out means")
        return self

    def group_of(self, licence: str) -> Group | None:
        """The first group that lists the licence (one id, no expression)."""
        return next((group for group in self.groups if group.holds(licence)), None)


def _same(where: str, what: str, found: set[str], wanted: set[str]) -> None:
    for name in sorted(wanted - found):
        raise ValueError(f"{where}: the {what} {name!r} is missing; add its verdict")
    _known(where, tuple(found), wanted)


def _known(where: str, found: tuple[str, ...], known: set[str]) -> None:
    for name in sorted(set(found) - known):
        raise ValueError(f"{where}: {name!r} is none of {', '.join(sorted(known))}")


def matrix_file(selected: str) -> Path:
    """The file of a matrix: a path, or a name in deploy/licences."""
    path = Path(selected).expanduser()
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    return MATRICES / f"{selected}.yaml"


def load_matrix(selected: str = "matrix") -> Matrix:
    """Reads and validates a matrix. Raises `InputError` naming the file, the key, the remedy."""
    path = matrix_file(selected)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"licence matrix {path}: {error.strerror}; set licences.matrix in the profile to a "
            f"YAML file or to a name in {MATRICES}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"licence matrix {path}: is not YAML: {problem}; mend the file") from None
    if not isinstance(content, dict):
        raise InputError(f"licence matrix {path}: holds no settings; copy {MATRICES}/matrix.yaml")
    try:
        return Matrix.model_validate(content)
    except ValidationError as error:
        raise InputError(f"licence matrix {path}: {_explained(error)}") from None


def _explained(error: ValidationError) -> str:
    # A mistyped key is missing under its right name, too: the typo says more.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}; remove it or correct its name"
    if first["type"] == "missing":
        return f"{key} is missing; add it"
    said = first["msg"].removeprefix("Value error, ")
    return f"{key}: {said}; correct the value" if key else said
