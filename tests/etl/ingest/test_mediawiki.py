"""MediaWiki dumps: pages become text with URL, revision and licence; the rest has its rule."""

from __future__ import annotations

import bz2
import gzip
import json
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import zstandard

from etl.ingest.config import IngestConfig
from etl.ingest.options import FormatOptions
from etl.ingest.rows import Row
from tests.etl.ingest.reading import rows_of

_HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">\n'
    "<siteinfo><sitename>Wikipedia</sitename><base>{base}</base><namespaces>"
    '<namespace key="0" case="first-letter" /><namespace key="6">Datei</namespace>'
    '<namespace key="14">Kategorie</namespace></namespaces></siteinfo>\n'
)
_WIKIPEDIA = "https://de.wikipedia.org/wiki/Wikipedia:Hauptseite"


def page(title: str, text: str, *, ns: int = 0, extra: str = "", model: str = "wikitext") -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>9</id>{extra}<revision><id>77</id>"
        f"<timestamp>2024-05-01T10:00:00Z</timestamp><model>{model}</model>"
        f'<text xml:space="preserve">{escape(text)}</text></revision></page>\n'
    )


_PAGES = [
    page("Rhein & Elbe", "Der '''Rhein''' ist ein [[Fluss]]. [[Datei:R.jpg|mini]]"
                         "[[Kategorie:Fluss]]"),
    page("Strom", "#WEITERLEITUNG [[Rhein]]", extra='<redirect title="Rhein" />'),
    page("Diskussion:Rhein", "Hallo", ns=1),
    page("Leer", "{{Vorlage}}"),
    page("Daten", "{}", model="json"),
    page("Elbe", "Die Elbe."),
]  # fmt: skip


def dump(pages: list[str], base: str = _WIKIPEDIA) -> bytes:
    return (_HEAD.format(base=base) + "".join(pages) + "</mediawiki>\n").encode()


def _rows(path: Path, data: bytes, **options: object) -> list[Row]:
    path.write_bytes(data)
    formats = FormatOptions(**options)  # type: ignore[arg-type]
    return rows_of(path, IngestConfig(max_record_bytes=100_000, formats=formats))


def _ends(rows: list[Row]) -> Counter[str]:
    return Counter(
        row["_reasons"][0]["rule"] if row["_verdict"] == "rejected"
        else row.get("_error_class", "kept") for row in rows
    )  # fmt: skip


def test_every_page_has_its_place(tmp_path: Path) -> None:
    data = dump(_PAGES)
    rows = _rows(tmp_path / "d.xml", data)
    assert _ends(rows) == {
        "kept": 2, "mediawiki.redirect": 1, "mediawiki.namespace": 1, "mediawiki.empty": 1,
        "mediawiki.content_model": 1,
    }  # fmt: skip
    for row, source in zip(rows, _PAGES, strict=True):
        place = row["source_offset"]
        assert data[place : place + row["source_length"]] == source.strip().encode()
    first = rows[0]
    fields = json.loads(first["extra"])
    assert first["text"] == "Der Rhein ist ein Fluss."
    assert first["url"] == "https://de.wikipedia.org/wiki/Rhein_%26_Elbe"
    assert (fields["title"], fields["revision"]) == ("Rhein & Elbe", "77")
    assert (fields["date"], fields["categories"]) == ("2024-05-01T10:00:00Z", ["Fluss"])


def test_the_licence_is_the_site_s_or_unknown(tmp_path: Path) -> None:
    def licence(base: str, **options: object) -> tuple[str, str | None]:
        fields = json.loads(_rows(tmp_path / "d", dump(_PAGES, base), **options)[0]["extra"])
        return fields["licence"], fields.get("licence_evidence")

    spdx, evidence = licence(_WIKIPEDIA)
    assert spdx == "CC-BY-SA-4.0"
    assert evidence is not None
    assert evidence.startswith("site: foundation.wikimedia.org")
    for base in ("https://wiki.example.org/Main", "https://notwikipedia.org/wiki/X",
                 "https://wikipedia.org.example/wiki/X", "http://[bad", ""):  # fmt: skip
        assert licence(base) == ("unknown", None)
    spdx, evidence = licence("https://wiki.example.org/Main", wiki_licence="CC0-1.0")
    assert (spdx, evidence) == ("CC0-1.0", "dataset_card: CC0-1.0")


def test_other_namespaces_on_request(tmp_path: Path) -> None:
    rows = _rows(tmp_path / "d", dump(_PAGES), wiki_namespaces=(0, 1))
    assert _ends(rows)["kept"] == 3


def test_compressed_and_multistream(tmp_path: Path) -> None:
    data = dump(_PAGES)
    middle = len(data) // 2
    plain = [row["id"] for row in _rows(tmp_path / "plain", data)]
    packs = {
        "a.bz2": bz2.compress(data),
        "b.bz2": bz2.compress(data[:middle]) + bz2.compress(data[middle:]),
        "c.gz": gzip.compress(data),
        "d.zst": zstandard.compress(data),
    }
    for name, packed in packs.items():
        rows = _rows(tmp_path / name, packed)
        assert rows[0]["source_offset"] == data.index(b"<page>")
        assert len(rows) == len(plain)
    cut = _rows(tmp_path / "e.bz2", packs["b.bz2"][:-40])
    assert _ends(cut)["truncated_bzip2"] == 1


@pytest.mark.parametrize(
    ("bad", "error_class"),
    [
        (page("X", "a \x01 b"), "broken_xml"),
        (page("X", "y" * 200_000), "too_large"),
        ("<page><title>X</title></pag>", "broken_xml"),
    ],
)
def test_a_bad_page_costs_itself_only(tmp_path: Path, bad: str, error_class: str) -> None:
    ends = _ends(_rows(tmp_path / "d", dump([_PAGES[0], bad, _PAGES[5]])))
    assert ends == {"kept": 2, error_class: 1}


def test_entities_are_refused(tmp_path: Path) -> None:
    laughs = b'<!DOCTYPE mediawiki [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n'
    data = dump(_PAGES).replace(b"Rhein", b"&b;")
    rows = _rows(tmp_path / "d.xml", laughs + data)
    assert [row["_error_class"] for row in rows] == ["forbidden_xml"]


def test_the_same_dump_gives_the_same_rows(tmp_path: Path) -> None:
    data = dump(_PAGES)
    assert _rows(tmp_path / "d", data) == _rows(tmp_path / "d", data)
