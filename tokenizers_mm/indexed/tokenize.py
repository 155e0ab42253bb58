"""A frame of documents to an indexed dataset: encoded and written in Spark tasks.

Which shard a document falls into follows from its id alone, so the bytes do not depend on how
many tasks ran: a `doc_id` is a uniform hash, and the shard is where it lies in the hash's range.
Ids that are not such hashes (a caller's own) are hashed first; a shard is sorted by id.
Nothing is sorted, collected or counted by document in the driver.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemas
from schemas.errors import InputError, StepError
from schemas.identity import ID_PATTERN, UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE, config_hash
from schemas.manifest import IndexedDatasetManifest, ShardEntry, TokenizerManifest
from schemas.report import JobReport
from tokenizers_mm.indexed.config import TokensConfig
from tokenizers_mm.indexed.encode_task import ENCODED_SCHEMA, EncodeTask
from tokenizers_mm.indexed.format import MANIFEST, beside, optimal_dtype
from tokenizers_mm.indexed.publish import Part, Staging
from tokenizers_mm.indexed.shard_task import PART_SCHEMA, ShardTask
from tokenizers_mm.text.encode import load_encoder
from tokenizers_mm.text.vocabulary import read_tokenizer_manifest, tokenizer_file

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Observation

_HASH_BITS = 32
_CAUSE = re.compile(r"^(?:[\w.]+\.)?(\w+(?:Error|Exception|Invalid)): (.+)$", re.MULTILINE)
_OPTIONAL = {"url": None, "language": UNDETERMINED_LANGUAGE, "licence": UNKNOWN_LICENCE}


def tokenize_frame(
    frame: DataFrame,
    prefix: str | Path,
    tokenizer: str | Path,
    config: TokensConfig | None = None,
    *,
    id_column: str = "doc_id",
    sources: dict[str, int] | None = None,
) -> tuple[IndexedDatasetManifest, JobReport]:
    """Writes the dataset `prefix` from the columns `id_column`, `text`, url, language, licence.

    The last three may be absent. `tokenizer` is a tokenizer.json or its folder; `sources` (table ->
    Delta version) goes into the manifest. Every row is a document, rejected (`tokenize.empty`,
    `tokenize.too_large`) or quarantined; the last two are listed in PREFIX.dropped.parquet. The
    manifest appears last: without it the dataset is not complete. The same rows, tokenizer and
    config give the same bytes. Raises `InputError` before anything is written, `StepError` later.
    """
    started = time.perf_counter()
    config = config or TokensConfig()
    prefix = _checked_prefix(prefix)
    described = read_tokenizer_manifest(tokenizer, end_of_document=config.end_of_document)
    path = str(tokenizer_file(tokenizer).resolve())
    load_encoder(path, described.sha256, config.encoder)
    task = EncodeTask(
        tokenizer=path,
        tokenizer_sha256=described.sha256,
        encoder=config.encoder,
        dtype=_dtype(config, described),
        end_of_document=described.end_of_document,
        max_document_bytes=config.max_document_bytes,
    )
    shards = 1 if config.single else max(1, math.ceil(frame.count() / config.documents_per_shard))
    rows, seen = _observed(frame, id_column)
    with Staging(prefix) as staging:
        parts = _run(_placed(rows, shards), task, staging, shards)
        entries = staging.assemble(parts, task.dtype, single=config.single)
        manifest = _manifest(config, described, task.dtype, entries, parts, sources or {})
        staging.publish(entries, manifest)
    # Spark runs nothing for an input that it knows to be empty, and then observes nothing.
    rows_in = seen.get["rows"] if parts else 0
    return manifest, _report(prefix, manifest, parts, rows_in, started)


def tokenize_splits(
    frame: DataFrame,
    prefix: str | Path,
    tokenizer: str | Path,
    config: TokensConfig | None = None,
    *,
    id_column: str = "doc_id",
    split_column: str = "",
    sources: dict[str, int] | None = None,
) -> tuple[IndexedDatasetManifest, IndexedDatasetManifest, JobReport]:
    """Two datasets: `prefix` to train on, `prefix`.valid held out. Returns both manifests.

    Documents are parted by `split_frame` on `split_column` (the id when empty); the report covers
    both, its outputs are `prefix` and `validation`.
    """
    config = config or TokensConfig()
    held_out_prefix = Path(f"{prefix}.valid")
    train, held_out = split_frame(frame, config, column=split_column or id_column)
    options: dict[str, Any] = {"id_column": id_column, "sources": sources}
    manifest, first = tokenize_frame(train, prefix, tokenizer, config, **options)
    validation, second = tokenize_frame(held_out, held_out_prefix, tokenizer, config, **options)
    rules = sorted({*first.rejected, *second.rejected})
    seconds = first.seconds + second.seconds
    tokens = manifest.tokens + validation.tokens
    report = JobReport(
        verb="tokenize",
        rows_in=first.rows_in + second.rows_in,
        kept=first.kept + second.kept,
        rejected={r: first.rejected.get(r, 0) + second.rejected.get(r, 0) for r in rules},
        quarantined=first.quarantined + second.quarantined,
        bytes_in=first.bytes_in + second.bytes_in,
        seconds=seconds,
        outputs=first.outputs | {"validation": str(held_out_prefix)},
        extra={
            "documents": manifest.documents + validation.documents,
            "tokens": tokens,
            "tokens_per_second": round(tokens / seconds, 1),
            "validation_documents": validation.documents,
            "validation_tokens": validation.tokens,
        },
    )
    return manifest, validation, report.require_reconciled()


def split_frame(
    frame: DataFrame, config: TokensConfig, *, column: str = "doc_id"
) -> tuple[DataFrame, DataFrame]:
    """(training, validation): a document is held out by a hash of `column`, now and ever.

    Split by `uri_id` and the versions of a page stay on one side. The hash is not the one that
    orders documents, so both sides are spread over all shards.
    """
    from pyspark.sql import functions as F

    key = F.sha2(F.concat_ws("\n", F.lit("validation"), F.lit(str(config.seed)), column), 256)
    held_out = _leading_bits(key) < int(config.validation_share * (1 << _HASH_BITS))
    return frame.where(~held_out), frame.where(held_out)


def _checked_prefix(prefix: str | Path) -> Path:
    if "://" in str(prefix):
        raise InputError(
            f"{prefix}: datasets are written to a file system that all workers share; name a path"
        )
    path = Path(prefix)
    if not path.name or path.is_dir():
        raise InputError(f"{prefix}: is a folder; name a prefix in it, such as {path / 'text'}")
    return path


def _dtype(config: TokensConfig, tokenizer: TokenizerManifest) -> str:
    needed = optimal_dtype(tokenizer.vocabulary.size)
    if config.dtype == "uint16" and tokenizer.vocabulary.size > 1 << 16:
        raise InputError(
            f"dtype is uint16 but there are {tokenizer.vocabulary.size} ids; set dtype: auto"
        )
    return needed if config.dtype == "auto" else config.dtype


def _leading_bits(key: Column) -> Column:
    from pyspark.sql import functions as F

    return F.conv(F.substring(key, 1, _HASH_BITS // 4), 16, 10).cast("long")


def _observed(frame: DataFrame, id_column: str) -> tuple[DataFrame, Observation]:
    """The columns that tokenising reads, and a count of the rows taken while they pass."""
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    missing = [name for name in (id_column, "text") if name not in frame.columns]
    if missing:
        raise InputError(f"the input has no column {missing[0]!r}; it has {frame.columns}")
    optional = [
        F.coalesce(F.col(name).cast("string"), F.lit(default)) if name in frame.columns
        else F.lit(default).cast("string")
        for name, default in _OPTIONAL.items()
    ]  # fmt: skip
    rows = frame.select(
        F.coalesce(F.col(id_column).cast("string"), F.lit("")).alias("doc_id"),
        F.col("text").cast("string").alias("text"),
        *(column.alias(name) for column, name in zip(optional, _OPTIONAL, strict=True)),
    )
    seen = Observation()
    return rows.observe(seen, F.count(F.lit(1)).alias("rows")), seen


def _placed(rows: DataFrame, shards: int) -> DataFrame:
    """The rows with their shard, and with what puts rows of one id (a caller's) in order."""
    from pyspark.sql import functions as F

    identity = F.col("doc_id")
    key = F.when(identity.rlike(f"^{ID_PATTERN}$"), identity).otherwise(F.sha2(identity, 256))
    shard = F.shiftright(_leading_bits(key) * shards, _HASH_BITS).cast("int")
    tie = F.xxhash64("text", *_OPTIONAL)
    return rows.select(shard.alias("shard"), "doc_id", tie.alias("tie"), *_OPTIONAL, "text")


def _run(rows: DataFrame, task: EncodeTask, staging: Staging, shards: int) -> list[Part]:
    """Runs the tasks. Raises `StepError` with the one line that says why they failed."""
    from pyspark.sql.pandas.types import from_arrow_schema

    write = ShardTask(staging=str(staging.folder.resolve()), dtype=task.dtype)
    encoded = rows.mapInArrow(task, from_arrow_schema(ENCODED_SCHEMA))
    sorted_rows = encoded.repartitionById(shards, "shard").sortWithinPartitions(
        "shard", "doc_id", "tie"
    )
    try:
        found = sorted_rows.mapInArrow(write, from_arrow_schema(PART_SCHEMA)).collect()
    except Exception as error:  # Spark wraps what a task raised in several kinds of its own
        causes = _CAUSE.findall(str(error))
        kind, said = causes[-1] if causes else (type(error).__name__, str(error).split("\n")[0])
        raise StepError(f"tokenize: {kind}: {said.strip()}; nothing was published") from error
    return [Part.of(row.asDict()) for row in found]


def _manifest(
    config: TokensConfig,
    tokenizer: TokenizerManifest,
    dtype: str,
    entries: list[ShardEntry],
    parts: list[Part],
    sources: dict[str, int],
) -> IndexedDatasetManifest:
    return IndexedDatasetManifest(
        modality="text",
        dtype=dtype,
        tokenizer_sha256=tokenizer.sha256,
        vocabulary_hash=tokenizer.vocabulary.hash,
        vocabulary_size=tokenizer.vocabulary.size,
        end_of_document=tokenizer.end_of_document,
        documents=sum(entry.documents for entry in entries),
        tokens=sum(entry.tokens for entry in entries),
        rejected=_rejected(parts),
        quarantined=sum(part.quarantined for part in parts),
        shards=tuple(entries),
        sources=sources,
        config_hash=config_hash(dataclasses.asdict(config)),
        code_version=f"token-foundry {schemas.__version__}",
    )


def _rejected(parts: list[Part]) -> dict[str, int]:
    rules = sorted({rule for part in parts for rule in part.rejected})
    return {rule: sum(part.rejected.get(rule, 0) for part in parts) for rule in rules}


def _report(
    prefix: Path,
    manifest: IndexedDatasetManifest,
    parts: list[Part],
    rows_in: int,
    started: float,
) -> JobReport:
    seconds = time.perf_counter() - started
    extra: dict[str, Any] = {
        "documents": manifest.documents,
        "tokens": manifest.tokens,
        "tokens_per_second": round(manifest.tokens / seconds, 1),
        "shards": len(manifest.shards),
    }
    return JobReport(
        verb="tokenize",
        rows_in=rows_in,
        kept=manifest.documents,
        rejected=manifest.rejected,
        quarantined=manifest.quarantined,
        bytes_in=sum(part.bytes_in for part in parts),
        seconds=seconds,
        outputs={"prefix": str(prefix), "manifest": str(beside(prefix, MANIFEST))},
        extra=extra,
    ).require_reconciled()
