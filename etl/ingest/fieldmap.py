"""Field maps: which field of a corpus' records is the text, the id, the URL, the licence...

A map is a few lines of YAML: a file of the user's, or a name in deploy/corpora. Fields are reached
by a dotted path (`metadata.url`); a string on the way that holds a JSON object is opened, as some
corpora keep their metadata so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from schemas.errors import InputError
from schemas.identity import LANGUAGE_PATTERN

CORPORA = Path(__file__).resolve().parents[2] / "deploy" / "corpora"
CARD = "card"  # the value of `licence` that means: only what the dataset card says
_LANGUAGE = re.compile(LANGUAGE_PATTERN)
_MOST_BYTES = 64 << 10

FieldPath = Annotated[str, StringConstraints(min_length=1, max_length=200)]
CarriedType = Literal["string", "long", "double", "boolean", "json"]
ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "json": pa.string(),
}
# Columns that a mapped record has anyway; a carried field cannot take their names.
MAPPED_COLUMNS = (
    "id", "text", "url", "source", "source_file", "source_offset", "source_length", "title",
    "language", "licence", "licence_evidence", "licence_statements", "fetched_at",
)  # fmt: skip


class Carried(BaseModel):
    """A field that goes through under a name of its own: where it is, and as what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: FieldPath
    type: CarriedType = "string"


class FieldMap(BaseModel):
    """The layout of a corpus' records.

    `text` must be there. `language` is the corpus' own code (`script` beside it, where the corpus
    keeps that apart; `language_in_path`: a pattern with one group that finds it in the file's
    path); `languages` names the codes that ISO 639 does not. `licence` is a field, or `card`.
    `carry` lists what else goes through: `name: type` for a top-level field of that name, or
    `name: {field: PATH, type: TYPE}`. `others` names a column for all remaining fields, as JSON,
    but those in `drop`; without it they are dropped. A record that lacks a `required` one of the
    mapped columns is quarantined; one where a field of `where` has none of the values listed there
    is rejected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: FieldPath
    id: FieldPath | None = None
    url: FieldPath | None = None
    title: FieldPath | None = None
    fetched_at: FieldPath | None = None
    language: FieldPath | None = None
    script: FieldPath | None = None
    language_in_path: str = Field(default="", max_length=200)
    languages: dict[str, str] = Field(default_factory=dict)
    licence: FieldPath = CARD
    carry: dict[str, Carried] = Field(default_factory=dict)
    others: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]{0,63})?$")
    drop: tuple[FieldPath, ...] = ()
    required: tuple[Literal["id", "url", "title", "fetched_at", "language", "licence"], ...] = ()
    where: dict[str, tuple[str | int | bool, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        """`carry: {dump: string}` and `where: {subset: c4}`, written out."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if isinstance(carry := value.get("carry"), dict):
            value["carry"] = {
                name: {"field": name, "type": one} if isinstance(one, str) else one
                for name, one in carry.items()
            }
        if isinstance(where := value.get("where"), dict):
            value["where"] = {
                name: one if isinstance(one, list | tuple) else [one] for name, one in where.items()
            }
        return value

    @model_validator(mode="after")
    def _consistent(self) -> FieldMap:
        taken = {name.lower() for name in MAPPED_COLUMNS} | {self.others.lower()}
        for name in self.carry:
            if name.lower() in taken or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
                raise ValueError(f"carry: the name {name!r} is taken or no name; choose another")
            taken.add(name.lower())
        if self.others.lower() in {name.lower() for name in MAPPED_COLUMNS}:
            raise ValueError(f"others: the name {self.others!r} is taken; choose another")
        for path in self.drop:
            if path in self.paths:
                raise ValueError(f"drop: {path!r} is mapped or carried as well; keep one of both")
        if self.script and not self.language:
            raise ValueError("script: goes with language; add that")
        for code, language in self.languages.items():
            if not _LANGUAGE.fullmatch(language):
                raise ValueError(f"languages: {code!r}: {language!r} is no code like deu, cmn_Hans")
        if self.language_in_path and re.compile(self.language_in_path).groups != 1:
            raise ValueError("language_in_path: needs one group, around the language's code")
        for column in self.required:
            known = getattr(self, column) or (column == "language" and self.language_in_path)
            if not known or (column, self.licence) == ("licence", CARD):
                raise ValueError(f"required: {column!r} is not mapped to a field; map it")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that is read, each once."""
        named = [self.text, self.id, self.url, self.title, self.fetched_at, self.language,
                 self.script, None if self.licence == CARD else self.licence]  # fmt: skip
        found = [path for path in named if path]
        found += [one.field for one in self.carry.values()]
        return tuple(dict.fromkeys([*found, *self.where]))

    def fits(self, fields: Iterable[str]) -> bool:
        """Whether records with these top-level fields can be of this layout."""
        there = set(fields)
        needed = [self.text, *(getattr(self, name) for name in ("id", "url")), *self.where]
        return all(path in there or path.split(".")[0] in there for path in needed if path)


def map_file(selected: str) -> Path:
    """The file of a map: a path, or a name in deploy/corpora."""
    path = Path(selected).expanduser()
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    return CORPORA / f"{selected}.yaml"


def load_map(selected: str) -> FieldMap:
    """Reads and validates a field map. Raises `InputError` naming the file, the key, the remedy."""
    path = map_file(selected)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(f"field map {path}: more than {_MOST_BYTES} bytes; it is no field map")
        content = yaml.safe_load(data.decode("utf-8"))
    except OSError as error:
        known = ", ".join(known_maps())
        raise InputError(
            f"field map {path}: {error.strerror}; name a YAML file or one of: {known}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"field map {path}: is not YAML: {problem}; mend the file") from None
    if not isinstance(content, dict):
        raise InputError(f"field map {path}: holds no settings; copy {CORPORA}/generic.yaml")
    try:
        return FieldMap.model_validate(content)
    except (ValidationError, re.error) as error:
        raise InputError(f"field map {path}: {_explained(error)}") from None


def known_maps() -> list[str]:
    return sorted(found.stem for found in CORPORA.glob("*.yaml"))


def fitting_maps(fields: Iterable[str]) -> list[str]:
    """The maps of deploy/corpora that records with these fields can be read with."""
    there = set(fields)
    return [name for name in known_maps() if load_map(name).fits(there)]


def _explained(error: ValidationError | re.error) -> str:
    if isinstance(error, re.error):
        return f"language_in_path: {error}; correct the pattern"
    # A mistyped key is missing under its right name, too: the typo says more.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(FieldMap.model_fields)
        return f"unknown key {key}; remove it or choose one of: {known}"
    if first["type"] == "missing":
        return f"{key} is missing; add the field that holds it"
    said = first["msg"].removeprefix("Value error, ")
    return f"{key}: {said}; correct the value" if key else f"{said}; correct the value"
