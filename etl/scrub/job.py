"""The scrub step: personal data masked over a frame, or over a snapshot of `deduplicated`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.scrub.config import ScrubConfig
from etl.tables.outcome import KEPT, QUARANTINED, VERDICT_FIELDS, Decided, decided_schema
from schemas.errors import InputError
from schemas.spec import spark_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from etl.scrub.analyser import Finding

STEP = "scrub"
FINDING = pa.struct(
    [
        pa.field("entity", pa.string()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("score", pa.float64()),
    ]
)
ADDED = (pa.field("pii_masked", pa.int32()), pa.field("findings", pa.list_(FINDING)))


def scrub_frame(
    frame: DataFrame, config: ScrubConfig, *, id_column: str = "doc_id"
) -> Decided:  # fmt: skip
    """Masks the column `text` of every row and adds `pii_masked` and `findings`.

    `findings` is array<struct<entity, start, end, score>>: places in the text before masking, never
    a value. `text_sha256`, where there is one, becomes that of the masked text. Other columns are
    carried through. A row without a text, or whose text resists masking, is quarantined. Raises
    `InputError` when `text` or `id_column` is missing, or a column that is added is there already.
    """
    from pyspark.sql.types import StructType

    for name in (id_column, "text"):
        if name not in frame.columns:
            raise InputError(f"scrub: the input has no column {name!r}; it needs id and text")
    for field in ADDED:
        if field.name in frame.columns:
            raise InputError(
                f"scrub: the input has a column {field.name!r} already; rename it, or scrub the "
                "rows as they were before"
            )
    kinds = dict(frame.dtypes)
    if kinds["text"] != "string":
        raise InputError(f"scrub: column 'text' is {kinds['text']}, not string; convert it first")
    fields = [
        *frame.schema.jsonValue()["fields"],
        *(
            {"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}}
            for f in ADDED
        ),
    ]
    schema = decided_schema(StructType.fromJson({"type": "struct", "fields": fields}))
    return Decided(frame.mapInArrow(_batch_function(config, id_column), schema))


def _batch_function(
    config: ScrubConfig, id_column: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def decide(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield scrub_batch(batch, config, id_column)

    return decide


def _scrub_one(text: str | None, config: ScrubConfig) -> tuple[str | None, list[Finding], str]:
    """(masked text, findings, error class or ""). Pure Python: the analyser takes one text."""
    from etl.scrub.analyser import ScrubError
    from etl.scrub.mask import scrub

    if text is None:
        return None, [], "missing_text"
    try:
        masked, findings = scrub(text, config)
    except ScrubError:
        return text, [], "unmaskable"
    return masked, findings, ""


_MESSAGES = {
    "missing_text": "the row has no text",
    "unmaskable": "masking goes on baring more personal data; look at the text and drop the row",
}


def scrub_batch(
    batch: pa.RecordBatch, config: ScrubConfig, id_column: str = "doc_id"
) -> pa.RecordBatch:
    """One Arrow batch with masked text, the added columns and the verdict columns."""
    texts = batch.column("text").to_pylist()
    done = [_scrub_one(text, config) for text in texts]
    columns = {name: batch.column(name) for name in batch.schema.names}
    masked = [text for text, _, _ in done]
    columns["text"] = pa.array(masked, columns["text"].type)
    if "text_sha256" in columns:
        hashes = [hashlib.sha256((text or "").encode()).hexdigest() for text in masked]
        columns["text_sha256"] = pa.array(hashes, columns["text_sha256"].type)
    findings = [
        [{"entity": f.entity, "start": f.start, "end": f.end, "score": f.score} for f in found]
        for _, found, _ in done
    ]
    columns["pii_masked"] = pa.array([len(found) for found in findings], pa.int32())
    columns["findings"] = pa.array(findings, ADDED[1].type)
    columns |= _verdicts(batch, [error for _, _, error in done], id_column)
    fields = [batch.schema.field(name).with_nullable(True) for name in batch.schema.names]
    schema = pa.schema([*fields, *ADDED, *VERDICT_FIELDS])
    return pa.record_batch([columns[field.name] for field in schema], schema=schema)


def _verdicts(batch: pa.RecordBatch, errors: list[str], id_column: str) -> dict[str, pa.Array]:
    ids = [str(value) for value in batch.column(id_column).to_pylist()]
    nothing: list[Any] = [None] * len(errors)
    return {
        "_verdict": pa.array([QUARANTINED if error else KEPT for error in errors], pa.string()),
        "_reasons": pa.array(nothing, VERDICT_FIELDS[1].type),
        "_scores": pa.array(nothing, VERDICT_FIELDS[2].type),
        "_error_class": pa.array([error or None for error in errors], pa.string()),
        "_message": pa.array([_MESSAGES.get(error) for error in errors], pa.string()),
        "_pointer": pa.array(
            [own if error else None for own, error in zip(ids, errors, strict=True)], pa.string()
        ),
    }
