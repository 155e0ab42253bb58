"""Records of a corpus by its field map: what runs in Spark's workers.

A batch of records whose fields are what the map says becomes columns at once (`Mapper.batch`); any
other is gone through record by record (`Mapper.values`), which says of each what is wrong with it.
Both give the same columns, and a test holds them to that.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import orjson
import pyarrow as pa

from etl.ingest.columns import Row
from etl.ingest.corpus import Corpus
from etl.ingest.fieldmap import ARROW_TYPES, CARD, FieldMap, fitting_maps
from etl.ingest.fields import (
    CASTS,
    FieldError,
    carried,
    carried_column,
    getter,
    is_one_of,
    shown,
    timestamp,
    timestamps,
)
from etl.ingest.jsonl import json_text, well_formed
from etl.ingest.records import quarantined
from etl.language.codes import is_written_variously, split_tag, with_script
from etl.licence.evidence import Evidence, shortened
from etl.licence.spdx import normalised
from schemas.identity import UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE, derived_id
from schemas.tables import EVIDENCES

WHERE_RULE = "ingest.where"
WRONG_MAP = "wrong_map"
_MOST_CODE = 64
_MOST_TAGS = 10_000
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
        self._card_columns: list[pa.Array] = [pa.nulls(0)]
        self._get = {one: getter(one) for one in self.map.paths}
        self._opened = tuple({one.split(".")[0] for one in self.map.paths if "." in one})
        self._carry = [
            (self._get[one.field], CASTS[one.type], one.field, one.type)
            for one in self.map.carry.values()
        ]
        self.schema = mapped_schema(self.map)
        self._tags: dict[tuple[str, str | None], tuple[str, bool]] = {}
        self._in_path = _language_in_path(self.map, path)
        self._taken = {one for one in (*self.map.paths, *self.map.drop) if "." not in one}

    def values(self, record: dict[str, Any], offset: int | None, length: int | None) -> tuple:
        """The record's tuple; `offset` and `length` say where it lies, if that can be said."""
        record = self._open(record)
        fields = self.map
        for path, allowed in fields.where.items():
            if not is_one_of(found := self._get[path](record), allowed):
                raise Unmatched(f"`{path}` is {shown(found)}")
        text = self._get[fields.text](record)
        if not isinstance(text, str):
            raise FieldError("missing_text", f"no string field `{fields.text}`")
        url = self._string(record, fields.url)
        title = self._string(record, fields.title)
        fetched = timestamp(self._get[fields.fetched_at](record)) if fields.fetched_at else None
        language = self._tagged(
            self._string(record, fields.language), self._string(record, fields.script), text
        )
        licence = self._licence(record)
        stated = self._get[fields.id](record) if fields.id else None
        given = isinstance(stated, str | int) and not isinstance(stated, bool) and stated != ""
        if fields.required:
            said = {"id": given or None, "url": url, "title": title, "fetched_at": fetched,
                    "language": language,
                    "licence": licence[2][0]["kind"] == "field" or None}  # fmt: skip
            self._require(said)
        values = [carried(get(record), cast, path, kind) for get, cast, path, kind in self._carry]
        if fields.others:
            values.append(carried(record, self._rest, fields.others, "json"))
        return (
            str(stated) if given else derived_id(text), text, url, title, language, fetched,
            *licence, self.source, self.path, offset, length, *values,
        )  # fmt: skip

    def batch(
        self, records: list[dict[str, Any]], offsets: list[int | None], lengths: list[int | None]
    ) -> pa.RecordBatch | None:
        """The records as columns; None when one of them has to be looked at by itself."""
        fields, count = self.map, len(records)
        records = [self._open(one) for one in records] if self._opened else records
        wanted = all(
            is_one_of(value, allowed)
            for path, allowed in fields.where.items()
            for value in self._column(records, path)
        )
        texts = self._column(records, fields.text)
        if not wanted or any(type(text) is not str for text in texts):
            return None
        ids = self._column(records, fields.id)
        named = {
            "id": [
                v if type(v) is str and v else str(v) if type(v) is int else derived_id(text)
                for v, text in zip(ids, texts, strict=True)
            ],
            "text": texts,
            "url": self._strings(records, fields.url),
            "title": self._strings(records, fields.title),
            "language": self._languages(records, texts),
        }
        try:
            columns = [pa.array(values, pa.string()) for values in named.values()]
            columns.append(timestamps(self._column(records, fields.fetched_at)))
            columns += self._licences(records)
            columns += [pa.repeat(self.source, count), pa.repeat(self.path, count)]
            columns += [pa.array(offsets, pa.int64()), pa.array(lengths, pa.int64())]
            for _, cast, path, kind in self._carry:
                columns.append(carried_column(self._column(records, path), cast, kind))
            if fields.others:
                columns.append(pa.array([self._rest(record) for record in records], pa.string()))
        except (TypeError, ValueError, OverflowError):  # Arrow's errors are of these, too
            return None
        if fields.required and not self._complete(columns, ids):
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def left_out(self, offset: int, length: int, why: str) -> Row:
        """The row of a record that a `where` of the map rejects."""
        score = {"rule": WHERE_RULE, "score": 0.0}
        pointer = f"{self.path}@{offset}+{length}"
        return {
            "id": derived_id(pointer), "source": self.source, "source_file": self.path,
            "source_offset": offset, "source_length": length, "language": UNDETERMINED_LANGUAGE,
            "licence": self._card.licence, "_verdict": "rejected", "_message": well_formed(why),
            "_reasons": [score | {"threshold": 1.0}], "_scores": [score], "_pointer": pointer,
        }  # fmt: skip

    def _column(self, records: list[dict[str, Any]], path: str | None) -> list[Any]:
        if path is None:
            return [None] * len(records)
        if "." not in path:
            return [record.get(path) for record in records]
        get = self._get[path]
        return [get(record) for record in records]

    def _strings(self, records: list[dict[str, Any]], path: str | None) -> list[str | None]:
        return [v if type(v) is str and v else None for v in self._column(records, path)]

    def _languages(self, records: list[dict[str, Any]], texts: list[str]) -> list[str | None]:
        tags = self._strings(records, self.map.language)
        scripts = self._strings(records, self.map.script)
        return [
            self._tagged(tag, script, text)
            for tag, script, text in zip(tags, scripts, texts, strict=True)
        ]

    def _licences(self, records: list[dict[str, Any]]) -> list[pa.Array]:
        kinds = (pa.string(), pa.string(), EVIDENCES)
        if self.map.licence == CARD:
            if len(self._card_columns[0]) < len(records):  # of the card's, a slice is enough
                said = zip(self._card_licence, kinds, strict=True)
                self._card_columns = [
                    pa.repeat(pa.scalar(one, kind), len(records)) for one, kind in said
                ]
            return [column.slice(0, len(records)) for column in self._card_columns]
        found = zip(*(self._licence(record) for record in records), strict=True)
        return [pa.array(one, kind) for one, kind in zip(found, kinds, strict=True)]

    def _complete(self, columns: list[pa.Array], ids: list[Any]) -> bool:
        names = self.schema.names
        for column in self.map.required:
            if column == "id" and any(type(v) not in (str, int) or v == "" for v in ids):
                return False
            if column == "licence":
                return False  # told record by record
            if columns[names.index(column)].null_count:
                return False
        return True

    def _rest(self, record: dict[str, Any]) -> str | None:
        rest = {key: v for key, v in record.items() if key not in self._taken}
        return json_text(rest) if rest else None

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

    def _tagged(self, tag: str | None, script: str | None, text: str) -> str | None:
        """The language that a record's tag, or its file's path, names."""
        tag = tag or self._in_path
        if not tag or len(tag) > _MOST_CODE:
            return None
        known = self._tags.get((tag, script))
        if known is None:
            said = self.map.languages.get(tag, "")
            language, written = (said, "") if said else split_tag(tag, script or "")
            settled = bool(said or written) or not is_written_variously(language)
            known = (f"{language}_{written}" if written else language), settled
            if len(self._tags) < _MOST_TAGS:
                self._tags[tag, script] = known
        language, settled = known
        return language if settled else with_script(language, text)

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


@functools.lru_cache(maxsize=1024)
def _spdx(said: str) -> str:
    return normalised(said)


def _language_in_path(fields: FieldMap, path: str) -> str:
    found = re.search(fields.language_in_path, path) if fields.language_in_path else None
    return found.group(1) if found and found.group(1) else ""


def wrong_map(path: str, corpus: Corpus, fields: list[str], seen: int) -> Row:
    """The one row of a file in which no record has the text field."""
    shown = ", ".join(fields[:_FIELDS_SHOWN])
    fits = ", ".join(fitting_maps(fields)) or "none of deploy/corpora; write one"
    message = (
        f"none of {seen} records has the text field `{corpus.map.text}` of the map "
        f"{corpus.map.name}; they have: {shown}; maps that fit: {fits}"
    )
    return quarantined(path, 0, 0, WRONG_MAP, message)
