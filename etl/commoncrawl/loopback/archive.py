"""`build_archive`: the sample site as Common Crawl would have archived it; same seed, same bytes.

Layout: crawl-data/CRAWL/segments/SEGMENT/{warc,wet}/*.gz and *.paths.gz; the columnar index below
cc-index/table/cc-main/warc/crawl=CRAWL/subset=SUBSET/, sorted by key, with the columns of
github.com/commoncrawl/cc-index-table.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from etl.crawl.warc import digest, header_block, record, record_id
from etl.sample_site import Page, build_site
from etl.sample_site.model import HOSTS

CRAWL = "CC-MAIN-2026-30"
DOMAINS = ("alpha.example", "beta.example", "gamma.example", "delta.example")
_NAMES = dict(zip(HOSTS, ("www.alpha.example", "news.beta.example", *DOMAINS[2:]), strict=True))
_START = datetime(2026, 7, 20, tzinfo=UTC)
_INDEX_LANGUAGES = {"cmn": "zho", "arb": "ara"}  # the index names macrolanguages
_S, _I = pa.string(), pa.int32()
INDEX_SCHEMA = pa.schema(
    [
        ("url_surtkey", _S), ("url", _S), ("url_host_name", _S), ("url_host_tld", _S),
        ("url_host_2nd_last_part", _S), ("url_host_3rd_last_part", _S),
        ("url_host_4th_last_part", _S), ("url_host_5th_last_part", _S),
        ("url_host_registry_suffix", _S), ("url_host_registered_domain", _S),
        ("url_host_private_suffix", _S), ("url_host_private_domain", _S),
        ("url_host_name_reversed", _S), ("url_protocol", _S), ("url_port", _I), ("url_path", _S),
        ("url_query", _S), ("fetch_time", pa.timestamp("us", tz="UTC")),
        ("fetch_status", pa.int16()), ("fetch_redirect", _S), ("content_digest", _S),
        ("content_mime_type", _S), ("content_mime_detected", _S), ("content_charset", _S),
        ("content_languages", _S), ("content_truncated", _S), ("warc_filename", _S),
        ("warc_record_offset", _I), ("warc_record_length", _I), ("warc_segment", _S),
    ]
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Archive:
    """A generated archive below `root`; `rows` is its index, unsorted."""

    root: Path
    crawl: str
    rows: tuple[Row, ...]

    @property
    def index(self) -> str:
        return str(self.root / "cc-index" / "table" / "cc-main" / "warc")

    def paths(self, kind: str) -> Path:
        """The list of `warc` or `wet` files."""
        return self.root / "crawl-data" / self.crawl / f"{kind}.paths.gz"

    def original(self, row: Row) -> bytes:
        """The record's bytes in the archive."""
        with (self.root / row["warc_filename"]).open("rb") as file:
            file.seek(row["warc_record_offset"])
            return file.read(row["warc_record_length"])


def build_archive(
    root: Path, seed: int, pages: int = 1_200, files: int = 4, crawl: str = CRAWL
) -> Archive:
    """Writes an archive of about `pages` pages in `files` WARC files of two segments."""
    site = build_site(seed, pages=pages)
    served = [page for page in site.pages if page.truth.linked and page.delay >= 0]
    rows: list[Row] = []
    listed: dict[str, list[str]] = {"warc": [], "wet": []}
    for number in range(files):
        segment = f"17845{seed % 10**5:05d}.{number % 2}"
        base = f"crawl-data/{crawl}/segments/{segment}"
        name = f"CC-MAIN-20260720000000-20260720030000-{number:05d}"
        warc, wet = f"{base}/warc/{name}.warc.gz", f"{base}/wet/{name}.warc.wet.gz"
        rows += _write_warc(root / warc, warc, segment, served[number::files])
        _write(root / wet, _wet_records(served[number::files]))
        listed["warc"].append(warc)
        listed["wet"].append(wet)
    archive = Archive(root, crawl, tuple(rows))
    for kind, paths in listed.items():
        packed = gzip.compress("".join(f"{path}\n" for path in paths).encode(), mtime=0)
        archive.paths(kind).write_bytes(packed)
    _write_index(archive)
    return archive


def _write(path: Path, parts: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))


def page_url(page: Page) -> str:
    """The page's URL under the archive's host names."""
    return f"https://{_NAMES[page.truth.host]}{page.truth.path}"


def _write_warc(path: Path, name: str, segment: str, pages: list[Page]) -> list[Row]:
    parts = [record([("WARC-Type", "warcinfo")], b"isPartOf: a sample archive\r\n")]
    at, rows = len(parts[0]), []
    for number, page in enumerate(pages):
        when = _START + timedelta(seconds=number)
        response, others = _page_records(page, when)
        parts += [others[0], response, others[1]]
        at += len(others[0])
        rows.append(_index_row(page, when) | {
            "warc_filename": name, "warc_record_offset": at, "warc_record_length": len(response),
            "warc_segment": segment,
        })  # fmt: skip
        at += len(response) + len(others[1])
    _write(path, parts)
    return rows


def _page_records(page: Page, when: datetime) -> tuple[bytes, tuple[bytes, bytes]]:
    url = page_url(page)

    def head(kind: str, content_type: str) -> list[tuple[str, str]]:
        return [
            ("WARC-Type", kind),
            ("WARC-Date", when.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ("WARC-Record-ID", record_id(kind, url)),
            ("Content-Type", content_type),
            ("WARC-Target-URI", url),
        ]

    answer = header_block(
        f"HTTP/1.1 {page.status} -",
        [*page.headers.items(), ("Content-Length", str(len(page.body)))],
    )
    response = record(
        [
            *head("response", "application/http; msgtype=response"),
            ("WARC-Payload-Digest", digest(page.body)),
        ],
        answer + page.body,
    )
    request = header_block(f"GET {page.truth.path} HTTP/1.1", [("Host", urlsplit(url).netloc)])
    return response, (
        record(head("request", "application/http; msgtype=request"), request),
        record(head("metadata", "application/warc-fields"), b"fetchTimeMs: 1\r\n"),
    )


def _index_row(page: Page, when: datetime) -> Row:
    url = page_url(page)
    parts = urlsplit(url)
    host = parts.netloc
    labels = [*reversed(host.split("."))]
    mime = page.headers.get("Content-Type", "text/html").split(";")[0]
    code = page.truth.language.split("_")[0]
    language = None if code == "und" else _INDEX_LANGUAGES.get(code, code)
    return {
        "url": url, "url_surtkey": _surt(parts.netloc, parts.path, parts.query),
        "url_host_name": host, "url_host_tld": labels[0], "url_host_2nd_last_part": labels[1],
        "url_host_3rd_last_part": labels[2] if len(labels) > 2 else None,
        "url_host_registry_suffix": labels[0], "url_host_private_suffix": labels[0],
        "url_host_registered_domain": f"{labels[1]}.{labels[0]}",
        "url_host_private_domain": f"{labels[1]}.{labels[0]}",
        "url_host_name_reversed": ".".join(labels), "url_protocol": parts.scheme,
        "url_path": parts.path, "url_query": parts.query or None, "fetch_time": when,
        "fetch_status": page.status, "fetch_redirect": page.headers.get("Location"),
        "content_digest": digest(page.body).removeprefix("sha1:"), "content_mime_type": mime,
        "content_mime_detected": mime, "content_charset": "UTF-8",
        "content_languages": language,
    }  # fmt: skip


def _surt(host: str, path: str, query: str) -> str:
    """The key that the index is sorted by: the host's labels turned round, `www` left out."""
    labels = host.removeprefix("www.").split(".")
    return f"{','.join(reversed(labels))}){path.lower()}" + (f"?{query.lower()}" if query else "")


def _wet_records(pages: list[Page]) -> Iterator[bytes]:
    yield record([("WARC-Type", "warcinfo")], b"isPartOf: a sample archive\r\n")
    for page in pages:
        if page.truth.text:
            yield record(
                [
                    ("WARC-Type", "conversion"),
                    ("WARC-Target-URI", page_url(page)),
                    ("WARC-Record-ID", record_id("conversion", page_url(page))),
                    ("Content-Type", "text/plain"),
                ],
                page.truth.text.encode(),
            )


def _write_index(archive: Archive, parts: int = 2, group_rows: int = 100) -> None:
    """Two files a partition, in the order of the key, in small row groups: pruning can be seen."""
    subsets: dict[str, list[Row]] = defaultdict(list)
    for row in archive.rows:
        subsets["warc" if row["fetch_status"] == 200 else "crawldiagnostics"].append(row)
    for subset, rows in subsets.items():
        rows.sort(key=lambda row: row["url_surtkey"])
        folder = Path(archive.index) / f"crawl={archive.crawl}" / f"subset={subset}"
        folder.mkdir(parents=True, exist_ok=True)
        size = -(-len(rows) // parts)
        for part in range(parts):
            table = pa.Table.from_pylist(rows[part * size : (part + 1) * size], INDEX_SCHEMA)
            path = folder / f"part-{part:05d}.gz.parquet"
            pq.write_table(table, path, compression="gzip", row_group_size=group_rows)
