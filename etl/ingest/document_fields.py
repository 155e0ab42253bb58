"""The fields that dumps, repositories, papers and books have beyond those of every record.

They are known beforehand, so that nothing has to be read twice to find their types.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from etl.ingest.formats import Format
from schemas.tables import EVIDENCES

_STRING, _LONG = pa.string(), pa.int64()
_LIST = pa.list_(_STRING)
_ANSWERS = pa.list_(
    pa.struct(
        [
            pa.field("id", _STRING),
            pa.field("score", _LONG),
            pa.field("date", _STRING),
            pa.field("author", _STRING),
            pa.field("author_url", _STRING),
            pa.field("licence", _STRING),
            pa.field("accepted", pa.bool_()),
            pa.field("start", _LONG),  # characters of the document's text
            pa.field("end", _LONG),
        ]
    )
)
_ALL = {
    "title": _STRING,
    "author": _STRING,
    "date": _STRING,  # as the input writes it
    "language": _STRING,  # as the input says
    "licence": _STRING,
    "licence_evidence": _STRING,
    "licence_statements": EVIDENCES,
    "content_sha256": _STRING,
}
_CODE = {
    "path": _STRING,
    "repository": _STRING,
    "commit": _STRING,
    "size": _LONG,  # bytes
    "programming_language": _STRING,
    "marker": _STRING,  # the words or the part of the path that a rule found
}
_POSTS = {
    "site": _STRING,
    "score": _LONG,
    "author_url": _STRING,
    "tags": _LIST,
    "answers": _ANSWERS,
}
_PAPER = {"main_file": _STRING, "pages": _LONG}
_OWN: dict[Format, dict[str, pa.DataType]] = {
    Format.MEDIAWIKI: {
        "site": _STRING,
        "page_id": _STRING,
        "revision": _STRING,
        "categories": _LIST,
    },
    Format.STACKEXCHANGE: _POSTS,
    Format.SEVENZIP: _POSTS,
    Format.REPOSITORY: _CODE,
    Format.BUNDLE: _CODE,
    Format.LATEX: _PAPER,
    Format.TAR: _PAPER,
    Format.PDF: _PAPER,
    Format.EPUB: {"missing_parts": _LONG},
    Format.TEXT: {},
}


def document_fields(found: Iterable[str]) -> pa.Schema:
    """The fields of the formats that were found; none when no format is one of these."""
    own = [_OWN[Format(name)] for name in sorted(found) if Format(name) in _OWN]
    merged = {
        name: kind for fields in ([_ALL, *own] if own else []) for name, kind in fields.items()
    }
    return pa.schema(list(merged.items()))
