"""Archives of papers: one, or many; hostile ones end as a recorded row."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from etl.ingest.config import IngestConfig
from etl.ingest.formats import Format, detect
from etl.ingest.options import FormatOptions
from etl.ingest.papers import paper_url
from etl.ingest.rows import Row
from tests.etl.ingest.reading import rows_of
from tests.etl.ingest.test_pdf import pdf

_PAPER = rb"\documentclass{a}\title{T}\author{A}\begin{document}Hello \input{b}.\end{document}"
_FILES = {"main.tex": _PAPER, "b.tex": b"there", "fig.pdf": b"%PDF-1.4 figure"}


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def _rows(path: Path, data: bytes, **options: int) -> list[Row]:
    path.write_bytes(data)
    formats = FormatOptions(**options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(max_record_bytes=1_000_000, formats=formats))


def _end(row: Row) -> str:
    if row["_verdict"] == "rejected":
        return str(row["_reasons"][0]["rule"])
    return str(row.get("_error_class", "kept"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_of_one_paper(tmp_path: Path, packed: bool) -> None:
    data = _tar(_FILES)
    (row,) = _rows(tmp_path / "2401.01234v2.tar.gz", gzip.compress(data) if packed else data)
    assert detect(tmp_path / "2401.01234v2.tar.gz").format == Format.TAR
    fields = json.loads(row["extra"])
    assert row["text"] == "Hello there."
    assert row["url"] == "https://arxiv.org/abs/2401.01234"
    assert (fields["title"], fields["author"], fields["main_file"]) == ("T", "A", "main.tex")
    assert fields["licence"] == "unknown"


@pytest.mark.parametrize("name", ["a.tex", "a.bin", "2401.01234.gz"])
def test_one_file_of_latex(tmp_path: Path, name: str) -> None:
    data = _PAPER.replace(rb"\input{b}", b"you")
    (row,) = _rows(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    assert row["text"] == "Hello you."


def test_a_tar_of_many(tmp_path: Path) -> None:
    alone = _PAPER.replace(rb"\input{b}", b"alone")
    old = _tar({"paper": alone})
    rows = _rows(
        tmp_path / "arXiv_src_2401_001.tar",
        _tar({
            "2401/2401.00001.gz": gzip.compress(_tar(_FILES)),
            "2401/2401.00002.gz": gzip.compress(alone),
            "2401/2401.00003.pdf": pdf([["A page of a paper with enough words on it."]]),
            "0001/hep-ph0001001.gz": gzip.compress(old),
            "2401/2401.00004.gz": gzip.compress(alone)[:-20],
            "2401/2401.00005.gz": gzip.compress(b"%auto-ignore\nwithdrawn"),
            "2401/2401.00006.gz": gzip.compress(_tar(_FILES)[:700]),
            "2401/readme.txt": b"x",
        }),
    )  # fmt: skip
    assert {row["source_file"] for row in rows} == {str(tmp_path / "arXiv_src_2401_001.tar")}
    ends = [(row.get("url") or row["_pointer"].rpartition("#")[2], _end(row)) for row in rows]
    assert ends == [
        ("https://arxiv.org/abs/2401.00001", "kept"),
        ("https://arxiv.org/abs/2401.00002", "kept"),
        ("https://arxiv.org/abs/2401.00003", "kept"),
        ("https://arxiv.org/abs/hep-ph/0001001", "kept"),
        ("2401/2401.00004.gz", "truncated_gzip"),
        ("https://arxiv.org/abs/2401.00005", "latex.no_document"),
        ("2401/2401.00006.gz", "corrupt_tar"),
    ]
    assert len({row["id"] for row in rows}) == len(rows)


def test_paths_and_links_lead_nowhere(tmp_path: Path) -> None:
    files = {**_FILES, "../../evil.tex": b"EVIL", "/abs.tex": b"ABS"}
    source = _PAPER.replace(rb"\input{b}", rb"\input{../../evil}\input{secret}\input{hard}")
    (row,) = _rows(
        tmp_path / "a.tar", _tar({**files, "main.tex": source}, {"secret.tex": "/etc/passwd"})
    )
    assert row["text"] == "Hello."
    assert not (tmp_path.parent / "evil.tex").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize(
    ("data", "error_class"),
    [
        (_tar(_FILES)[:700], "corrupt_tar"),
        (gzip.compress(_tar(_FILES))[:-30], "truncated_gzip"),
        (_tar({"a.txt": b"x"}), "latex.no_document"),
        (_tar({"a.tex": b"no document"}), "latex.no_document"),
        (_tar({"a.tex": rb"\documentclass{a}\begin{document}\end{document}"}), "latex.empty"),
        (_tar({"a.tex": b"\x00" * 600 + b"x"}), "latex.no_document"),
        (_tar({"a.tex": b" " * 300_000}), "too_large"),
        (_tar({f"{n}.tex": b"x" for n in range(60)}), "too_many_members"),
        (gzip.compress(_tar({"2401.00001.gz": gzip.compress(b" " * 9_000_000)})),
         "decompression_bomb"),
    ],
)  # fmt: skip
def test_hostile_archives(tmp_path: Path, data: bytes, error_class: str) -> None:
    (row,) = _rows(tmp_path / "a.tar", data, archive_bytes=200_000, archive_members=50)
    assert _end(row) == error_class


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    """A pax header of 5 MB, which tarfile would hold whole (and of 5 GB as well)."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 5_000_000
    data = member.tobuf(tarfile.USTAR_FORMAT) + b"0" * 5_000_192 + _tar(_FILES)
    (row,) = _rows(tmp_path / "a.tar", data)
    assert _end(row) == "corrupt_tar"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("2401.01234.tar.gz", "https://arxiv.org/abs/2401.01234"),
        ("x/1501.0001v3.gz", "https://arxiv.org/abs/1501.0001"),
        ("math.AG0309136.gz", "https://arxiv.org/abs/math/0309136"),
        ("cond-mat9901001.pdf", "https://arxiv.org/abs/cond-mat/9901001"),
        ("fig12.gz", ""),
        ("paper.pdf", ""),
        ("2401.gz", ""),
    ],
)
def test_identifiers(name: str, url: str) -> None:
    assert paper_url(name) == url
