"""PDF: the text flows, scans and locked files are told apart, the reader can be killed."""

from __future__ import annotations

import json
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.config import IngestConfig
from etl.ingest.formats import Format, detect
from etl.ingest.options import FormatOptions
from etl.ingest.pdf import flowing
from etl.ingest.rows import Row
from tests.etl.ingest.reading import rows_of


def pdf(pages: list[list[str]], *, trailer: str = "", extra: bytes = b"") -> bytes:
    """A PDF of the given lines a page, in Helvetica, as a minimal writer makes it."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
               "<< /Title (A Title) /Author (Ann) >>"]  # fmt: skip
    kids = []
    for lines in pages:
        shown = "".join(f"({line}) Tj 0 -14 Td\n" for line in lines)
        stream = f"BT /F1 11 Tf 50 800 Td\n{shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources "
            f"<< /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, places = bytearray(b"%PDF-1.4\n" + extra), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
    end += f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R {trailer}>>\n"
    return bytes(out) + end.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


_WORDS = "These words fill a line of the page from its left side to its right"


_OTHERS = ("river", "mountain", "valley", "village", "harbour")


def _pages() -> list[list[str]]:
    return [
        ["Journal of Made-Up Things, 12", f"{_WORDS} {other}",
         f"and by the {other} they are a sen-", f"tence that ends at the {other}.", "", f"{n}"]
        for n, other in enumerate(_OTHERS, start=1)
    ]  # fmt: skip


def _rows(path: Path, data: bytes, most: int = 100_000_000, **options: int) -> list[Row]:
    path.write_bytes(data)
    formats = FormatOptions(**options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(max_record_bytes=most, formats=formats))


def _end(path: Path, data: bytes, most: int = 100_000_000, **options: int) -> str:
    (row,) = _rows(path, data, most, **options)
    if row["_verdict"] == "rejected":
        return str(row["_reasons"][0]["rule"])
    return str(row.get("_error_class", "kept"))


def test_a_paper(tmp_path: Path) -> None:
    (row,) = _rows(tmp_path / "x.bin", pdf(_pages()))
    assert detect(tmp_path / "x.bin").format == Format.PDF
    fields = json.loads(row["extra"])
    assert row["text"].split("\n")[0] == (
        f"{_WORDS} river and by the river they are a sentence that ends at the river."
    )
    assert "Journal" not in row["text"]
    assert row["text"].count("sentence") == 5
    assert (fields["title"], fields["author"], fields["pages"]) == ("A Title", "Ann", 5)
    assert fields["licence"] == "unknown"


def test_a_licence_in_the_metadata(tmp_path: Path) -> None:
    packet = (
        b"%<x:xmpmeta><xmpRights:WebStatement>http://creativecommons.org/licenses/by/4.0/"
        b"</xmpRights:WebStatement></x:xmpmeta>\n"
    )
    (row,) = _rows(tmp_path / "a.pdf", pdf(_pages(), extra=packet))
    fields = json.loads(row["extra"])
    assert (fields["licence"], fields["licence_statements"][0]["kind"]) == ("CC-BY-4.0", "meta")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.pdf", pdf(_pages())
    locked = "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + "41" * 32 + "> /U <" \
        + "42" * 32 + "> >> /ID [<00><00>] "  # fmt: skip
    assert _end(path, pdf([[""], [""]])) == "pdf.no_text"
    assert _end(path, pdf(_pages(), trailer=locked)) == "encrypted"
    assert _end(path, b"%PDF-1.7\n" + b"\xff" * 500) == "corrupt_pdf"
    assert _end(path, whole[:200]) == "corrupt_pdf"
    assert _end(path, whole, pdf_pages=4) == "too_many_pages"
    assert _end(path, whole, archive_bytes=1000) == "too_large"
    assert _end(path, whole, most=100) == "too_large"


def test_the_reader_is_stopped(tmp_path: Path) -> None:
    """In time, and when it asks for more memory than it may."""
    started = time.monotonic()
    many = pdf([[_WORDS] * 55] * 1900)
    assert _end(tmp_path / "a.pdf", many, pdf_seconds=1) in {"too_slow", "crashed"}
    assert time.monotonic() - started < 20
    assert _end(tmp_path / "b.pdf", pdf(_pages()), pdf_memory=20_000_000) in {
        "crashed", "too_complex"
    }  # fmt: skip


def test_pages_flow() -> None:
    pages = [
        f"A Header {number}\nThe long line of words about {thing} that fills the page\n"
        f"ends at {thing}. Then the next\n- item {thing}\n- other {thing}\n{number}"
        for number, thing in ((7, "rivers"), (8, "hills"), (9, "towns"))
    ]
    assert flowing(pages).split("\n")[:3] == [
        "The long line of words about rivers that fills the page ends at rivers. Then the next",
        "- item rivers",
        "- other rivers",
    ]
    assert flowing(["well-\nknown and Ann-\nMarie"]) == "wellknown and Ann-Marie"
    assert flowing([]) == ""


@given(st.lists(st.text(st.sampled_from("ab -.\n\r12\u00ad\ufffe"), max_size=60), max_size=6))
def test_any_pages_flow(pages: list[str]) -> None:
    assert isinstance(flowing(pages), str)
