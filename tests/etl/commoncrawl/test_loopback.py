"""The generated archive is one: others read it, and it is the same each time."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow.parquet as pq
from warcio.archiveiterator import ArchiveIterator

from etl.commoncrawl.loopback import Archive, build_archive
from etl.commoncrawl.loopback.archive import INDEX_SCHEMA


def _files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, seed: int) -> None:
    for name in ("a", "b"):
        build_archive(tmp_path / name, seed, pages=120, files=2)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    build_archive(tmp_path / "c", seed + 1, pages=120, files=2)
    assert _files(tmp_path / "a") != _files(tmp_path / "c")


def test_a_stranger_finds_the_records_where_the_index_says(archive: Archive) -> None:
    stated = {(r["warc_filename"], r["warc_record_offset"]): r for r in archive.rows}
    found = 0
    for name in gzip.decompress(archive.paths("warc").read_bytes()).decode().splitlines():
        with (archive.root / name).open("rb") as file:
            records = ArchiveIterator(file, check_digests="raise")
            for record in records:
                place, kind = records.get_record_offset(), record.rec_type
                uri = record.rec_headers.get_header("WARC-Target-URI")
                record.content_stream().read()
                if kind == "response":
                    row = stated[name, place]
                    assert row["url"] == uri
                    assert row["warc_record_length"] == records.get_record_length()
                    found += 1
    assert found == len(stated)


def test_the_index_is_sorted_and_has_the_columns(archive: Archive) -> None:
    parts = sorted(Path(archive.index).glob("crawl=*/subset=warc/*.parquet"))
    keys = [key for part in parts for key in pq.ParquetFile(part).read()["url_surtkey"].to_pylist()]
    assert keys == sorted(keys)
    assert pq.read_schema(parts[0]).names == INDEX_SCHEMA.names
