"""Mistakes in YAML files, said in one line: the key, what is wrong, what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]


def explain(error: ValidationError, root: Any, skip: int = 0) -> str:
    """The first mistake, and how many more there are. `root` is the model (or dataclass) that was
    validated; the first `skip` parts of a key path are not the user's and left out."""
    mistakes = error.errors()
    first = mistakes[0]
    place = first["loc"][skip:]
    key = ".".join(str(part) for part in place) or "the file"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = ", ".join(sorted(known_keys(root, place[:-1])))
        text = f"unknown key {key}; remove it or choose one of: {known}"
    elif first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        text = f"{key} is missing; add it"
    elif not place and first["type"] == "value_error":
        text = f"{first['msg'].removeprefix('Value error, ')}; correct it"
    else:
        said = first["msg"].removeprefix("Value error, ")
        text = f"{key}: {said} (found {first['input']!r:.80}); correct the value"
    return text + (f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else "")


def known_keys(root: Any, where: Sequence[str | int]) -> list[str]:
    """The keys that the section at `where` takes."""
    section: Any = root
    for part in where:
        fields = _fields(section)
        if part not in fields:
            break
        section = fields[str(part)]
    return list(_fields(section))


def _fields(section: Any) -> dict[str, Any]:
    if isinstance(section, type) and issubclass(section, BaseModel):
        return {name: field.annotation for name, field in section.model_fields.items()}
    if dataclasses.is_dataclass(section):
        return {field.name: field.type for field in dataclasses.fields(section)}
    return {}
