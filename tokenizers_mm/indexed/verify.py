"""Is a dataset on the disk the one its manifest describes? Every finding names a file and a remedy.

Reads each file once for its checksum and once for its content, a chunk at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import FoundryError, InputError
from schemas.manifest import IndexedDatasetManifest, ShardEntry
from schemas.report import JobReport
from tokenizers_mm.indexed.format import (
    BIN,
    DOCS,
    DOCS_SCHEMA,
    DTYPE_CODES,
    HEADER_BYTES,
    IDX,
    MANIFEST,
    SHARD_SUFFIXES,
    beside,
    file_sha256,
)
from tokenizers_mm.indexed.publish import dataset_files, leftovers
from tokenizers_mm.indexed.reader import ShardReader
from tokenizers_mm.text.vocabulary import read_tokenizer_manifest

DAMAGED = "verify.damaged"
_CHUNK = 1 << 22
_AGAIN = "tokenize again"


def verify_dataset(
    prefix: str | Path, *, tokenizer: str | Path | None = None
) -> tuple[JobReport, list[str]]:
    """Checks the manifest, checksums, header, lengths, pointers, documents table and token ids.

    With `tokenizer` (a tokenizer.json or its folder) also that it is the one the ids are of.
    Returns a report (files in, good ones kept) and the problems; none means that the dataset is
    good. Raises `InputError` when there is nothing at `prefix`.
    """
    started = time.perf_counter()
    prefix = Path(prefix)
    marker = beside(prefix, MANIFEST)
    files = dataset_files(prefix)
    if not marker.exists() and not files:
        raise InputError(f"{prefix}: no dataset here; name the PREFIX that tokenize wrote")
    problems: list[tuple[Path, str]] = []
    manifest = _manifest(marker, problems)
    if manifest is not None:
        listed = {entry.name + suffix for entry in manifest.shards for suffix in SHARD_SUFFIXES}
        problems += [
            (path, "is not in the manifest; delete it, or tokenize again")
            for path in files
            if path.name not in listed and path.name.endswith(SHARD_SUFFIXES[:2])
        ]
        for entry in manifest.shards:
            problems += verify_shard(prefix.parent / entry.name, entry, manifest)
        files = sorted({*files, *(prefix.parent / name for name in listed)})
        if tokenizer is not None:
            problems += [(marker, said) for said in _tokenizer_problems(manifest, tokenizer)]
    problems += [
        (folder, "is left from a run that was killed; the next tokenize removes it")
        for folder in leftovers(prefix)
    ]
    report = _report(prefix, [marker, *files], problems, manifest, time.perf_counter() - started)
    return report, [f"{path}: {said}" for path, said in problems]


def verify_shard(
    prefix: Path, entry: ShardEntry, manifest: IndexedDatasetManifest
) -> list[tuple[Path, str]]:
    """The problems of one shard, as (file, what is wrong and what to do)."""
    problems = []
    for suffix in SHARD_SUFFIXES:
        path = beside(prefix, suffix)
        if not path.is_file():
            problems.append((path, f"is missing; copy it again or {_AGAIN}"))
        elif file_sha256(path) != entry.sha256.get(suffix):
            problems.append((path, f"its SHA-256 is not the manifest's; copy it again or {_AGAIN}"))
    if any(not beside(prefix, suffix).is_file() for suffix in SHARD_SUFFIXES):
        return problems
    try:
        structure = list(_structure(prefix, entry, manifest))
        problems += structure
        if not structure:
            problems += _content(prefix, entry, manifest)
    except (FoundryError, OSError, ValueError, pa.ArrowException) as error:
        problems.append((prefix, f"cannot be read: {str(error).splitlines()[0]}; {_AGAIN}"))
    return problems


def _structure(
    prefix: Path, entry: ShardEntry, manifest: IndexedDatasetManifest
) -> Iterator[tuple[Path, str]]:
    """Sizes and headers: what must hold before the arrays can be read."""
    index, tokens, docs = (beside(prefix, suffix) for suffix in (IDX, BIN, DOCS))
    if manifest.dtype not in DTYPE_CODES:
        yield beside(prefix, MANIFEST), f"dtype {manifest.dtype!r} is unknown; {_AGAIN}"
        return
    shard = ShardReader(prefix)
    header, documents = shard.header, entry.documents
    if header.dtype != np.dtype(manifest.dtype):
        yield index, f"holds {header.dtype}, the manifest says {manifest.dtype}; {_AGAIN}"
    if header.sequences != documents or header.boundaries != documents + 1:
        yield (
            index,
            f"holds {header.sequences} sequences and {header.boundaries} boundaries, the manifest "
            f"says {documents} documents; {_AGAIN}",
        )
    expected = HEADER_BYTES + 12 * header.sequences + 8 * header.boundaries
    if index.stat().st_size != expected:
        yield index, f"has {index.stat().st_size} bytes, its header says {expected}; {_AGAIN}"
    expected = entry.tokens * header.dtype.itemsize
    if tokens.stat().st_size != expected:
        yield tokens, f"has {tokens.stat().st_size} bytes, the manifest says {expected}; {_AGAIN}"
    with pq.ParquetFile(docs) as table:
        if not table.schema_arrow.equals(DOCS_SCHEMA):
            yield docs, f"its columns are not those of a documents table; {_AGAIN}"
        if table.metadata.num_rows != documents:
            yield docs, f"has {table.metadata.num_rows} rows for {documents} documents; {_AGAIN}"


def _content(
    prefix: Path, entry: ShardEntry, manifest: IndexedDatasetManifest
) -> Iterator[tuple[Path, str]]:
    """The arrays: they agree with each other, with the documents table and with the vocabulary."""
    index, docs = beside(prefix, IDX), beside(prefix, DOCS)
    shard = ShardReader(prefix)
    if shard.documents and int(shard.lengths.min()) < 1:
        yield index, f"has a document without tokens; {_AGAIN}"
    if int(shard.lengths.sum(dtype=np.int64)) != entry.tokens:
        yield index, f"its lengths do not add up to {entry.tokens} tokens; {_AGAIN}"
        return
    position = first = 0
    last_id = ""
    for tokens, lengths, rows in shard.chunks():
        here = slice(first, first + len(lengths))
        ends = np.cumsum(lengths, dtype=np.int64) + position
        starts = ends - lengths
        if not np.array_equal(shard.pointers[here], starts * shard.header.dtype.itemsize):
            yield index, f"its pointers do not follow from its lengths; {_AGAIN}"
        if not np.array_equal(shard.boundaries[here], np.arange(here.start, here.stop)):
            yield index, f"its documents are not one sequence each; {_AGAIN}"
        yield from ((docs, said) for said in _rows_problems(rows, here, starts, lengths, last_id))
        yield from (
            (beside(prefix, BIN), said)
            for said in _token_problems(tokens, ends - position - 1, manifest)
        )
        position, first = int(ends[-1]), here.stop
        last_id = rows["doc_id"][-1].as_py()
    if shard.boundaries[-1] != shard.documents:
        yield index, f"its last boundary is not the number of documents; {_AGAIN}"


def _rows_problems(
    rows: pa.Table, here: slice, starts: np.ndarray, lengths: np.ndarray, last_id: str
) -> Iterator[str]:
    expected = {
        "document": np.arange(here.start, here.stop),
        "token_offset": starts,
        "length": lengths,
    }
    for name, values in expected.items():
        if not np.array_equal(rows[name].to_numpy(), values):
            yield f"its column {name} disagrees with the index; {_AGAIN}"
    ids = rows["doc_id"].combine_chunks()
    ordered = pc.all(pc.less_equal(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py()
    if ordered is False or last_id.encode() > ids[0].as_py().encode():
        yield f"its documents are not in doc_id order; {_AGAIN}"


def _token_problems(
    tokens: np.ndarray, last: np.ndarray, manifest: IndexedDatasetManifest
) -> Iterator[str]:
    """`last` holds the position of each document's final token."""
    for start, stop in pairwise([*range(0, len(tokens), _CHUNK), len(tokens)]):
        top = int(tokens[start:stop].max())
        if top >= manifest.vocabulary_size or int(tokens[start:stop].min()) < 0:
            yield (
                f"has the id {top}, the vocabulary ends at {manifest.vocabulary_size - 1}; {_AGAIN}"
            )
            return
    if not (tokens[last] == manifest.end_of_document).all():
        yield f"has a document that does not end with id {manifest.end_of_document}; {_AGAIN}"
    if np.count_nonzero(tokens == manifest.end_of_document) != len(last):
        yield f"has the end-of-document id {manifest.end_of_document} inside a document; {_AGAIN}"


def _manifest(marker: Path, problems: list[tuple[Path, str]]) -> IndexedDatasetManifest | None:
    try:
        return IndexedDatasetManifest.read(marker)
    except InputError as error:
        if marker.exists():
            problems.append((marker, str(error).removeprefix(f"{marker}: ")))
        else:
            problems.append((marker, f"is missing, so the run did not end; {_AGAIN}"))
        return None


def _tokenizer_problems(manifest: IndexedDatasetManifest, tokenizer: str | Path) -> Iterator[str]:
    described = read_tokenizer_manifest(tokenizer)
    if described.sha256 != manifest.tokenizer_sha256:
        yield (
            f"was made with tokenizer {manifest.tokenizer_sha256[:12]}, not "
            f"{described.sha256[:12]} ({tokenizer}); name the right one, or {_AGAIN}"
        )
    elif described.vocabulary.hash != manifest.vocabulary_hash:
        yield f"its vocabulary hash is not that of {tokenizer}; {_AGAIN}"


def _report(
    prefix: Path,
    files: list[Path],
    problems: list[tuple[Path, str]],
    manifest: IndexedDatasetManifest | None,
    seconds: float,
) -> JobReport:
    bad = {path for path, _ in problems}
    checked = {*files, *bad}
    report = JobReport(
        verb="verify",
        rows_in=len(checked),
        kept=len(checked - bad),
        rejected={DAMAGED: len(bad)} if bad else {},
        bytes_in=sum(path.stat().st_size for path in checked if path.is_file()),
        seconds=seconds,
        outputs={"prefix": str(prefix)},
        extra={"problems": [f"{path}: {said}" for path, said in problems]},
    )
    if manifest is not None:
        report.extra |= {"documents": manifest.documents, "tokens": manifest.tokens}
    return report.require_reconciled()
