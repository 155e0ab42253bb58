"""Records of a corpus by its field map: what runs in Spark's workers.

A record becomes a tuple of `mapped_schema`, in its order, or a row that says why it is none. This
is a loop over records on purpose: fields hold anything in such files, and a record costs 4 us here
beside the 20 us that parsing and writing one of 4 KB cost.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from etl.ingest.corpus import Corpus
from etl.ingest.fieldmap import ARROW_TYPES, CARD, FieldMap, fitting_maps
from etl.ingest.columns import Row
from etl.ingest.jsonl import json_text, well_formed
from etl.ingest.records import quarantined
from etl.language.codes import from_tag
from etl.licence.evidence import Evidence, shortened
from etl.licence.spdx import normalised
from schemas.identity import UNKNOWN_LICENCE, derived_id
from schemas.tables import EVIDENCES

WHERE_RULE = "ingest.where"
WRONG_MAP = "wrong_map"
_MOST_CODE = 64
_INT64 = 1 << 63
_FIELDS_SHOWN = 40


def mapped_schema(fields: FieldMap) -> pa.Schema:
    """The columns of a mapped record."""
    columns = [
        pa.field("id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("url", pa.string()),
        pa.field("title", pa.string()),
        pa.field("language", pa.string()),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC")),
        pa.field("licence", pa.string()),
        pa.field("licence_evidence", pa.string()),
        pa.field("licence_statements", EVIDENCES),
        pa.field("source", pa.string()),
        pa.field("source_file", pa.string()),
        pa.field("source_offset", pa.int64()),
        pa.field("source_length", pa.int64()),
    ]
    columns += [pa.field(name, ARROW_TYPES[one.type]) for name, one in fields.carry.items()]
    return pa.schema([*columns, *([pa.field(fields.others, pa.string())] if fields.others else [])])


class FieldError(Exception):
    """A record lacks a field or holds another type in it. `error_class` as in the quarantine."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


class Unmatched(Exception):
    """A record that a `where` of the map leaves out."""


class Mapper:
    """Turns the records of one file into tuples; `values` raises `FieldError` or `Unmatched`."""

    def __init__(self, corpus: Corpus, source: str, path: str) -> None:
        self.map, self.path, self.source = corpus.map, path, source
        self._card = corpus.card.evidence
        self._card_licence = (
            self._card.licence,
            f"{self._card.kind}: {shortened(self._card.text)}",
            [self._card.as_row()],
        )
        self._get = {one: _getter(one) for one in self.map.paths}
        self._opened = tuple({one.split(".")[0] for one in self.map.paths if "." in one})
        self._carry = [
            (self._get[one.field], _CASTS[one.type], one.field, one.type)
            for one in self.map.carry.values()
        ]
        self._in_path = _language_in_path(self.map, path)
        self._taken = {one for one in (*self.map.paths, *self.map.drop) if "." not in one}

    def values(self, record: dict[str, Any], offset: int | None, length: int | None) -> tuple:
        """The record's tuple; `offset` and `length` say where it lies, if that can be said."""
        record = self._open(record)
        fields = self.map
        for path, allowed in fields.where.items():
            if not _is_one_of(found := self._get[path](record), allowed):
                raise Unmatched(f"`{path}` is {found!r:.80}")
        text = self._get[fields.text](record)
        if not isinstance(text, str):
            raise FieldError("missing_text", f"no string field `{fields.text}`")
        url = self._string(record, fields.url)
        title = self._string(record, fields.title)
        fetched = _timestamp(self._get[fields.fetched_at](record)) if fields.fetched_at else None
        language = self._language(record, text)
        licence = self._licence(record)
        stated = self._get[fields.id](record) if fields.id else None
        given = isinstance(stated, str | int) and not isinstance(stated, bool) and stated != ""
        if fields.required:
            said = {"id": given or None, "url": url, "title": title, "fetched_at": fetched,
                    "language": language, "licence": licence[2][0]["kind"] == "field" or None}  # fmt: skip
            self._require(said)
        carried = [_carried(get(record), cast, path, kind) for get, cast, path, kind in self._carry]
        if fields.others:
            rest = {key: v for key, v in record.items() if key not in self._taken}
            carried.append(json_text(rest) if rest else None)
        return (
            str(stated) if given else derived_id(text), text, url, title, language, fetched,
            *licence, self.source, self.path, offset, length, *carried,
        )  # fmt: skip

    def _open(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with the JSON strings that its paths go through opened."""
        for root in self._opened:
            if isinstance(found := record.get(root), str):
                try:
                    inner = orjson.loads(found)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(inner, dict):
                    record = record | {root: inner}
        return record

    def _string(self, record: dict[str, Any], path: str | None) -> str | None:
        value = self._get[path](record) if path else None
        return value if isinstance(value, str) and value else None

    def _language(self, record: dict[str, Any], text: str) -> str | None:
        tag = self._string(record, self.map.language) or self._in_path
        if not tag or len(tag) > _MOST_CODE:
            return None
        if known := self.map.languages.get(tag):
            return known
        return from_tag(tag, self._string(record, self.map.script) or "", text)

    def _licence(self, record: dict[str, Any]) -> tuple[str, str, list[dict[str, Any]]]:
        """The record's own word, which outranks the card's; without one, the card's."""
        said = None if self.map.licence == CARD else self._string(record, self.map.licence)
        licence = _spdx(said) if said else UNKNOWN_LICENCE
        if said is None or licence == UNKNOWN_LICENCE:
            return self._card_licence
        own = Evidence("field", licence, said, f"field {self.map.licence}")
        return licence, f"field: {shortened(said)}", [own.as_row(), self._card.as_row()]

    def _require(self, said: dict[str, Any]) -> None:
        for column in self.map.required:
            if said[column] is None:
                path = getattr(self.map, column) or "the file's path"
                raise FieldError("missing_field", f"no field `{path}` ({column})")


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(type(value) is type(one) and value == one for one in allowed)


@functools.lru_cache(maxsize=1024)
def _spdx(said: str) -> str:
    return normalised(said)


def _language_in_path(fields: FieldMap, path: str) -> str:
    found = re.search(fields.language_in_path, path) if fields.language_in_path else None
    return found.group(1) if found and found.group(1) else ""


def _getter(path: str) -> Callable[[dict[str, Any]], Any]:
    """What lies at a dotted path. A key that has the dots in its own name counts first."""
    parts = path.split(".")
    if len(parts) == 1:
        return lambda record: record.get(path)

    def get(record: dict[str, Any]) -> Any:
        if path in record:
            return record[path]
        value: Any = record
        for part in parts:
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return value

    return get


def _timestamp(value: Any) -> datetime | None:
    """An instant in UTC of ISO 8601 (also with slashes, or a range, of which the start counts), of
    seconds or milliseconds since 1970; None for anything else."""
    if isinstance(value, str):
        text = value.partition(",")[0].strip()
        try:
            value = datetime.fromisoformat(text.replace("/", "-") if "/" in text[:10] else text)
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if abs(value) < 1e11 else value / 1000
        if not (math.isfinite(seconds) and 0 < seconds < 4e9):
            return None
        value = datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None


def _carried(value: Any, cast: Callable[[Any], Any], path: str, kind: str) -> Any:
    if value is None:
        return None
    try:
        return cast(value)
    except (TypeError, ValueError):
        raise FieldError(
            "wrong_type", f"field `{path}` is {type(value).__name__} {value!r:.60}, not {kind}"
        ) from None


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return json_text(value)
    raise TypeError


def _long_of(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    if not -_INT64 <= value < _INT64:
        raise ValueError
    return int(value)


def _double_of(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        return float(value)
    except OverflowError:
        raise ValueError from None


def _boolean_of(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_CASTS: dict[str, Callable[[Any], Any]] = {
    "string": _text_of,
    "long": _long_of,
    "double": _double_of,
    "boolean": _boolean_of,
    "json": json_text,
}


def left_out(path: str, offset: int, length: int, why: str) -> Row:
    """The row of a record that a `where` of the map rejects."""
    score = {"rule": WHERE_RULE, "score": 0.0}
    pointer = f"{path}@{offset}+{length}"
    return {
        "id": derived_id(pointer), "source_file": path, "source_offset": offset,
        "source_length": length, "_verdict": "rejected", "_message": well_formed(why),
        "_reasons": [score | {"threshold": 1.0}], "_scores": [score], "_pointer": pointer,
    }  # fmt: skip


def wrong_map(path: str, corpus: Corpus, fields: list[str], seen: int) -> Row:
    """The one row of a file in which no record has the text field."""
    shown = ", ".join(fields[:_FIELDS_SHOWN])
    fits = ", ".join(fitting_maps(fields)) or "none of deploy/corpora; write one"
    message = (
        f"none of {seen} records has the text field `{corpus.map.text}` of the map "
        f"{corpus.map.name}; they have: {shown}; maps that fit: {fits}"
    )
    return quarantined(path, 0, 0, WRONG_MAP, message)
