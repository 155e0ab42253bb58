"""Pages into documents, in Spark over Arrow batches: from a crawl's WARC files or any input."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import pyarrow as pa

from etl.extract.html import Page, PageError, PageLimits, clean_text, extract_page
from etl.ingest.config import IngestConfig
from etl.ingest.warc import capture, read_at
from etl.language.identify import LanguageConfig, identify_batch
from etl.licence.evidence import TIERS, Evidence
from etl.licence.spdx import normalised
from etl.storage.config import S3Config
from etl.storage.files import located
from etl.tables.outcome import KEPT, QUARANTINED, REJECTED, VERDICT_FIELDS, Decided, decided_schema
from schemas import __version__
from schemas.errors import FoundryError
from schemas.identity import UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE, config_hash, sha256_hex
from schemas.report import JobReport
from schemas.spec import spark_type
from schemas.tables import DOCUMENTS, EVIDENCES, FETCHES, QUARANTINE
from schemas.tables import REJECTED as REJECTED_TABLE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from etl.tables.store import Store

STEP = "extract"
NO_TEXT = "extract.no_text"
CODE_VERSION = f"token-foundry {__version__}"

_OUTPUT: tuple[pa.Field, ...] = (
    pa.field("text", pa.string()),
    pa.field("title", pa.string()),
    pa.field("language", pa.string()),
    pa.field("language_score", pa.float64()),
    pa.field("licence", pa.string()),
    pa.field("licence_evidence", pa.string()),
    pa.field("licence_statements", EVIDENCES),
    pa.field("content_sha256", pa.string()),
)
_OUTPUT_NAMES = tuple(f.name for f in _OUTPUT)
_PAGE_INPUT = ("html", "content_type")
_ROWS_AT_ONCE = 64
_EVIDENCE_MOST = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """A page over `max_bytes`, with more than `max_tags` tags or nested deeper than `max_depth` is
    quarantined; one with fewer than `min_characters` of main text is rejected by the rule
    `extract.no_text`. `pages_per_task` sizes the Spark tasks of a large snapshot."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_bytes: int = 8_000_000
    max_tags: int = 200_000
    max_depth: int = 1_000
    min_characters: int = 1
    pages_per_task: int = 5_000
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_tags", "max_depth", "min_characters", "pages_per_task"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def limits(self) -> PageLimits:
        return PageLimits(
            max_bytes=self.max_bytes, max_tags=self.max_tags, max_depth=self.max_depth
        )

    @property
    def hash(self) -> str:
        return config_hash(dataclasses.asdict(self))


Row = dict[str, Any]
# Gives a row's bytes and its headers Content-Type and Link, or raises `PageError`.
Fetched = tuple[bytes, str | None, str | None]
Fetch = Callable[[Row], Fetched]


def extract_frame(frame: DataFrame, config: ExtractConfig, *, id_column: str = "id") -> Decided:
    """Extracts `html` (bytes; `content_type` is its header). A row without `html` keeps its `text`.

    Adds or replaces `text, title, language, language_score, licence, licence_evidence,
    licence_statements,
    content_sha256`; all other columns go through, `html` and `content_type` do not.
    """

    def fetch(row: Row) -> Fetched:
        return row.get("html") or b"", row.get("content_type"), None

    return _extracted(frame, config, fetch, pointer_of=_record_pointer(id_column))


def extract_files(
    spark: SparkSession, path: str, config: ExtractConfig, s3: S3Config | None = None
) -> Decided:
    """Documents of WARC, WET, HTML, JSONL, Parquet or Delta input: `id, url, text, title, language,
    language_score, licence, licence_evidence`, where they lie, and other fields of the input."""
    from etl.ingest.read import read_records

    reading = IngestConfig(max_record_bytes=config.max_bytes, s3=s3 or S3Config())
    records = read_records(spark, path, reading)
    unread = records.frame.where(records.frame["_verdict"] != KEPT)
    decided = extract_frame(records.kept(), config)
    frame = decided.frame.unionByName(unread.drop(*_PAGE_INPUT), allowMissingColumns=True)
    first = ["id", "url", *_OUTPUT_NAMES]
    return Decided(frame.select(*first, *[c for c in frame.columns if c not in first]))


def extract_snapshot(
    store: Store,
    warc_root: str,
    snapshot: str,
    config: ExtractConfig,
    s3: S3Config | None = None,
) -> JobReport:
    """The pages fetched in a snapshot, read from their WARC records below `warc_root` (from an
    `s3://` one by range), into DOCUMENTS, REJECTED and QUARANTINE."""
    from pyspark.sql import functions as F

    fetched = store.read(FETCHES).where(
        (F.col("snapshot") == snapshot) & (F.col("verdict") == "fetched")
    )
    pages = fetched.select(
        "snapshot", "uri_id", "source", "url", "content_type", "warc_file", "warc_offset",
        "warc_length", "fetched_at", F.col("content_sha256").alias("stated_sha256"),
        F.lit(None).cast("string").alias("origin"),
    )  # fmt: skip
    rows_in = pages.count()
    tasks = max(_shuffle_partitions(store.spark), -(-rows_in // config.pages_per_task))
    # Neighbours in a file stay together and in order, so that it is read from front to back.
    pages = pages.repartitionByRange(tasks, "warc_file", "warc_offset").sortWithinPartitions(
        "warc_file", "warc_offset"
    )
    decided = _extracted(
        pages, config, _WarcReader(warc_root, config.max_bytes, s3).fetch, pointer_of=_warc_pointer
    )
    return write_documents(store, decided, snapshot, config, rows_in)


def write_documents(
    store: Store, decided: Decided, snapshot: str, config: ExtractConfig, rows_in: int | None = None
) -> JobReport:
    """Commits a snapshot's rows to DOCUMENTS, REJECTED and QUARANTINE, and counts them."""
    from pyspark.sql import functions as F

    with decided.persisted() as rows:
        report = rows.report(STEP, rows_in=rows_in)
        documents = rows.kept().withColumns(
            {
                "doc_id": _doc_id(),
                "text_sha256": F.sha2(F.col("text").cast("binary"), 256),
                "code_version": F.lit(CODE_VERSION),
                "config_hash": F.lit(config.hash),
            }
        )
        rejected = rows.rejected().withColumns(
            {"step": F.lit(STEP), "doc_id": _doc_id(), "config_hash": F.lit(config.hash)}
        )
        quarantined = rows.quarantined().withColumns(
            {"step": F.lit(STEP), "snapshot": F.lit(snapshot), "item_id": F.col("uri_id")}
        )
        own = {"snapshot": snapshot}
        store.replace_all(
            (DOCUMENTS, documents.select(*DOCUMENTS.column_names), own),
            (REJECTED_TABLE, rejected.select(*REJECTED_TABLE.column_names), own | {"step": STEP}),
            (QUARANTINE, quarantined.select(*QUARANTINE.column_names), own | {"step": STEP}),
        )
    report.outputs = {
        spec.name: store.path(spec) for spec in (DOCUMENTS, REJECTED_TABLE, QUARANTINE)
    }
    return report


def _doc_id() -> Any:
    """`schemas.identity.doc_id` of the row, in Spark's SQL."""
    from pyspark.sql import functions as F

    parts = F.concat_ws("\n", F.lit("doc"), F.col("uri_id"), F.col("content_sha256"))
    return F.substring(F.sha2(parts.cast("binary"), 256), 1, 32)


def _shuffle_partitions(spark: SparkSession) -> int:
    return int(spark.conf.get("spark.sql.shuffle.partitions") or 1)


class _WarcReader:
    """Reads WARC records by their place; keeps the last file open, as rows come sorted by file."""

    def __init__(self, root: str, max_bytes: int, s3: S3Config | None = None) -> None:
        self.root = located(root, s3)
        self.max_bytes = max_bytes
        self._name = ""
        self._file: BinaryIO | None = None

    def fetch(self, row: Row) -> Fetched:
        name, offset, length = row["warc_file"], row["warc_offset"], row["warc_length"]
        if name is None or offset is None or length is None:
            raise PageError("no_bytes", "the fetch log names no WARC record")
        try:
            span = read_at(self._open(name), offset, length, self.max_bytes)
            if span.error_class:
                raise PageError(span.error_class, span.message)
            captured = capture(span.data, self.max_bytes)
        except FileNotFoundError:
            raise PageError("missing_warc", f"{name} is not below {self.root}") from None
        except (OSError, ValueError) as error:
            raise PageError("broken_record", str(error)[:300]) from error
        if captured is None:
            raise PageError("broken_record", "the record there is no response")
        if row["stated_sha256"] not in (None, sha256_hex(captured.body)):
            raise PageError("digest_mismatch", "the bytes are not those of the fetch log")
        return captured.body, row["content_type"] or captured.content_type, captured.link

    def _open(self, name: str) -> BinaryIO:
        if name != self._name or self._file is None:
            if self._file is not None:
                self._file.close()
            self._file = (self.root / name).open("rb")
            self._name = name
        return self._file


def _warc_pointer(row: Row) -> str:
    return f"{row['warc_file']}@{row['warc_offset']}+{row['warc_length']}"


def _record_pointer(id_column: str) -> Callable[[Row], str]:
    def pointer(row: Row) -> str:
        place = row.get("source_file") or f"{id_column}={row.get(id_column)}"
        offset, length = row.get("source_offset"), row.get("source_length")
        return place if offset is None else f"{place}@{offset}" + (f"+{length}" if length else "")

    return pointer


def _extracted(
    frame: DataFrame, config: ExtractConfig, fetch: Fetch, *, pointer_of: Callable[[Row], str]
) -> Decided:
    from pyspark.sql.types import StructType

    drop = {*_PAGE_INPUT, "stated_sha256", *_OUTPUT_NAMES}
    carried = [f.name for f in frame.schema.fields if f.name not in drop]
    added = [
        {"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}}
        for f in _OUTPUT
    ]
    columns = StructType.fromJson(
        json.loads(
            json.dumps(
                {
                    "type": "struct",
                    "fields": [*(frame.schema[n].jsonValue() for n in carried), *added],
                }
            )
        )
    )

    def extract(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                part = batch.slice(start, _ROWS_AT_ONCE)
                yield _extract_batch(part, carried, config, fetch, pointer_of)

    return Decided(frame.mapInArrow(extract, decided_schema(columns)))


def _extract_batch(
    batch: pa.RecordBatch,
    carried: list[str],
    config: ExtractConfig,
    fetch: Fetch,
    pointer_of: Callable[[Row], str],
) -> pa.RecordBatch:
    names = [name for name in batch.schema.names if name in _INPUTS or name in _OUTPUT_NAMES]
    inputs = batch.select(names).to_pylist()
    rows = [_extract_row(row, config, fetch, pointer_of) for row in inputs]
    languages = identify_batch([row.get("text") for row in rows], config.language)
    for row, (label, score) in zip(rows, languages, strict=True):
        row["language"], row["language_score"] = label, score
    made = pa.RecordBatch.from_pylist(rows, schema=pa.schema([*_OUTPUT, *VERDICT_FIELDS]))
    return pa.RecordBatch.from_arrays(
        [*(batch.column(name) for name in carried), *made.columns],
        names=[*carried, *made.schema.names],
    )


_INPUTS = frozenset(
    {
        "id", "html", "content_type", "url", "warc_file", "warc_offset", "warc_length",
        "stated_sha256", "source_file", "source_offset", "source_length", "uri_id",
    }
)  # fmt: skip


def _extract_row(
    row: Row, config: ExtractConfig, fetch: Fetch, pointer_of: Callable[[Row], str]
) -> Row:
    try:
        made = _made(row, config, fetch)
    except PageError as error:
        return _failed(error.error_class, str(error), pointer_of(row))
    except (FoundryError, ImportError):
        raise  # the storage or the installation failed, not the page: the step must be run again
    except Exception as error:  # a hostile page must cost itself only, whatever it hit
        return _failed("internal", f"{type(error).__name__}: {error}"[:300], pointer_of(row))
    characters = len(made["text"])
    if characters >= config.min_characters:
        return made | {"_verdict": KEPT}
    score = {"rule": NO_TEXT, "score": float(characters)}
    reason = score | {"threshold": float(config.min_characters)}
    return made | {"_verdict": REJECTED, "_reasons": [reason], "_scores": [score]}


def _made(row: Row, config: ExtractConfig, fetch: Fetch) -> Row:
    if row.get("text") is not None and row.get("html") is None:
        content = row.get("content_sha256") or sha256_hex(row["text"].encode())
        return _field_licence(row) | {
            "title": row.get("title"),
            "text": clean_text(row["text"]),
            "content_sha256": content,
        }
    body, content_type, link = fetch(row)
    page: Page = extract_page(body, content_type, config.limits, link)
    return {
        "text": page.text,
        "title": page.title,
        "licence": page.licence,
        "licence_evidence": page.licence_evidence,
        "licence_statements": [piece.as_row() for piece in page.licence_statements],
        "content_sha256": sha256_hex(body),
    }


def _field_licence(row: Row) -> Row:
    """The licence that a record states in its fields, as an SPDX id with what it said.

    A record's fields may hold anything: what is no string, or no piece of evidence, is passed over.
    """
    stated = row["licence"] if isinstance(row.get("licence"), str) else None
    said = row["licence_evidence"] if isinstance(row.get("licence_evidence"), str) else None
    licence = normalised(stated)
    found = list(_given_evidence(row.get("licence_statements")))
    if licence != UNKNOWN_LICENCE:
        found = found or [Evidence("field", licence, said or stated or "", "field licence")]
        said = said or f"field: {stated}"
    rows = [piece.as_row() for piece in found]
    return {"licence": licence, "licence_evidence": said, "licence_statements": rows}


def _given_evidence(value: Any) -> Iterator[Evidence]:
    names = ("kind", "licence", "text", "place")
    for given in value[:_EVIDENCE_MOST] if isinstance(value, list) else ():
        parts = [given.get(name) for name in names] if isinstance(given, dict) else [None]
        if all(isinstance(part, str) for part in parts) and parts[0] in TIERS:
            yield Evidence(*parts)


def _failed(error_class: str, message: str, pointer: str) -> Row:
    return {
        "language": UNDETERMINED_LANGUAGE,
        "_verdict": QUARANTINED,
        "_error_class": error_class,
        "_message": message,
        "_pointer": pointer,
    }
