from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError
from tokenizers_mm.indexed.format import HEADER_BYTES
from tokenizers_mm.indexed.verify import verify_dataset


@pytest.fixture
def prefix(tmp_path, write_dataset):
    write_dataset(tmp_path / "t")
    return tmp_path / "t"


def edit(path: Path, offset: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(bytes(content))


def sign_again(prefix: Path) -> None:
    """Puts the files' present checksums into the manifest: only their content can be wrong now."""
    marker = Path(f"{prefix}.manifest.json")
    manifest = json.loads(marker.read_text())
    for shard in manifest["shards"]:
        for suffix in shard["sha256"]:
            data = (prefix.parent / (shard["name"] + suffix)).read_bytes()
            shard["sha256"][suffix] = hashlib.sha256(data).hexdigest()
    marker.write_text(json.dumps(manifest))


def rewrite_docs(prefix: Path, change) -> None:
    path = Path(f"{prefix}-00000.docs.parquet")
    table = pq.read_table(path)
    pq.write_table(change(table).cast(table.schema), path)


def set_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, [values])


def test_a_good_dataset_has_no_problems(prefix):
    report, problems = verify_dataset(prefix)
    assert problems == []
    assert report.rows_in == report.kept == 7  # the manifest and two triples
    assert (report.rejected, report.extra["documents"]) == ({}, 8)


@pytest.mark.parametrize("suffix", ["-00000.bin", "-00001.idx", "-00000.docs.parquet"])
def test_one_flipped_bit_is_found_in_the_right_file(prefix, suffix):
    path = Path(f"{prefix}{suffix}")
    edit(path, 20, bytes([path.read_bytes()[20] ^ 1]))
    report, problems = verify_dataset(prefix)
    assert (
        problems[0] == f"{path}: its SHA-256 is not the manifest's; copy it again or tokenize again"
    )
    assert report.rejected["verify.damaged"] >= 1


@pytest.mark.parametrize("suffix", ["-00000.bin", "-00001.idx", "-00000.docs.parquet"])
def test_a_missing_file_is_named(prefix, suffix):
    Path(f"{prefix}{suffix}").unlink()
    _, problems = verify_dataset(prefix)
    assert problems == [f"{prefix}{suffix}: is missing; copy it again or tokenize again"]


def _first_length(prefix):
    return np.fromfile(f"{prefix}-00000.idx", np.int32, 1, offset=HEADER_BYTES)[0]


_DAMAGE = {
    "magic": (lambda p: edit(Path(f"{p}-00000.idx"), 0, b"X"), "not a Megatron index"),
    "dtype": (lambda p: edit(Path(f"{p}-00000.idx"), 17, b"\x04"), "the manifest says uint16"),
    "count": (
        lambda p: edit(Path(f"{p}-00000.idx"), 18, struct.pack("<Q", 4)),
        "the manifest says 5 documents",
    ),
    "huge count": (
        lambda p: edit(Path(f"{p}-00000.idx"), 18, struct.pack("<Q", 1 << 60)),
        "the manifest says 5 documents",
    ),
    "short index": (
        lambda p: Path(f"{p}-00000.idx").write_bytes(Path(f"{p}-00000.idx").read_bytes()[:-8]),
        "its header says",
    ),
    "short tokens": (
        lambda p: Path(f"{p}-00000.bin").write_bytes(Path(f"{p}-00000.bin").read_bytes()[:-2]),
        r"\.bin: has \d+ bytes",
    ),
    "length": (
        lambda p: edit(
            Path(f"{p}-00000.idx"), HEADER_BYTES, struct.pack("<i", _first_length(p) + 1)
        ),
        "lengths do not add up",
    ),
    "negative length": (
        lambda p: edit(Path(f"{p}-00000.idx"), HEADER_BYTES, struct.pack("<i", -3)),
        "without tokens",
    ),
    "pointer": (
        lambda p: edit(Path(f"{p}-00000.idx"), HEADER_BYTES + 20, struct.pack("<q", 2)),
        "pointers do not follow",
    ),
    "boundary": (
        lambda p: edit(Path(f"{p}-00000.idx"), HEADER_BYTES + 60 + 8, struct.pack("<q", 3)),
        "not one sequence each",
    ),
    "last boundary": (
        lambda p: edit(Path(f"{p}-00000.idx"), HEADER_BYTES + 60 + 40, struct.pack("<q", 4)),
        "last boundary",
    ),
    "big id": (
        lambda p: edit(Path(f"{p}-00000.bin"), 0, struct.pack("<H", 100)),
        "the id 100, the vocabulary ends at 99",
    ),
    "early end": (
        lambda p: edit(Path(f"{p}-00000.bin"), 0, struct.pack("<H", 99)),
        "inside a document",
    ),
    "no end": (
        lambda p: edit(Path(f"{p}-00000.bin"), 2 * int(_first_length(p)) - 2, b"\x01\x00"),
        "does not end with id 99",
    ),
    "offset column": (
        lambda p: rewrite_docs(p, lambda t: set_column(t, "token_offset", [0, 1, 2, 3, 4])),
        "column token_offset disagrees",
    ),
    "document column": (
        lambda p: rewrite_docs(p, lambda t: set_column(t, "document", [0, 1, 2, 4, 3])),
        "column document disagrees",
    ),
    "order": (
        lambda p: rewrite_docs(p, lambda t: set_column(t, "doc_id", ["b", "a", "c", "d", "e"])),
        "not in doc_id order",
    ),
    "rows": (lambda p: rewrite_docs(p, lambda t: t.slice(1)), "4 rows for 5 documents"),
    "not parquet": (
        lambda p: Path(f"{p}-00000.docs.parquet").write_bytes(b"PAR1 no"),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("damage", _DAMAGE)
def test_damage_is_found_even_where_the_checksums_agree(prefix, damage):
    do, said = _DAMAGE[damage]
    do(prefix)
    sign_again(prefix)
    report, problems = verify_dataset(prefix)
    assert any(re.search(said, problem) for problem in problems), problems
    assert all("again" in problem and "t-00000" in problem for problem in problems)
    assert report.extra["problems"] == problems


def test_a_run_that_did_not_end_is_told(prefix):
    Path(f"{prefix}.manifest.json").unlink()
    _, problems = verify_dataset(prefix)
    assert problems == [
        f"{prefix}.manifest.json: is missing, so the run did not end; tokenize again"
    ]


def test_a_broken_manifest_is_told(prefix):
    marker = Path(f"{prefix}.manifest.json")
    marker.write_text(marker.read_text().replace('"tokens"', '"tokenz"', 1))
    _, problems = verify_dataset(prefix)
    assert len(problems) == 1
    assert problems[0].startswith(f"{marker}: ")
    assert problems[0].endswith("rebuild it")


def test_strays_and_leftovers_are_told(prefix, write_dataset):
    Path(f"{prefix}-00007.bin").touch()
    prefix.with_name(".t.staging-00").mkdir()
    write_dataset(prefix.with_name("t.valid"))
    _, problems = verify_dataset(prefix)
    assert ["-00007.bin" in problems[0], ".staging-00" in problems[1]] == [True, True]
    assert len(problems) == 2


def test_nothing_there_is_bad_usage(tmp_path):
    with pytest.raises(InputError, match="no dataset here"):
        verify_dataset(tmp_path / "absent")


def test_another_tokenizer_is_told(prefix, tokenizer_folder):
    _, problems = verify_dataset(prefix, tokenizer=tokenizer_folder)
    assert len(problems) == 1
    assert "was made with tokenizer aaaaaaaaaaaa" in problems[0]
