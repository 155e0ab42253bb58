from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.commoncrawl.loopback import Archive
from etl.commoncrawl.verify import RecordError, check_record
from etl.crawl.warc import digest

_LIMIT = 1_000_000
_URL = "http://a.example/"
_BODY = b"<p>A body.</p>" * 20


def _record(
    body: bytes = _BODY, *, stated: bytes = _BODY, length: int = 0, url: str = _URL
) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        f"WARC-Payload-Digest: {digest(stated)}\r\nContent-Length: {length or len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


_DIGEST = digest(_BODY).removeprefix("sha1:")
_GOOD = gzip.compress(_record())


def test_good_records_pass(archive: Archive) -> None:
    check_record(_GOOD, _URL, _DIGEST, _LIMIT)
    check_record(_GOOD, _URL, None, _LIMIT)
    for row in archive.rows[:50]:
        check_record(archive.original(row), row["url"], row["content_digest"], _LIMIT * 10)


@pytest.mark.parametrize(
    ("data", "error_class"),
    [
        (b"", "truncated_gzip"),
        (_GOOD[:-9], "truncated_gzip"),
        (_GOOD[:30] + bytes([_GOOD[30] ^ 255]) + _GOOD[31:], "corrupt_gzip"),
        (b"<html>Not found</html>", "corrupt_gzip"),
        (_GOOD + _GOOD, "several_members"),
        (_GOOD + b"x", "several_members"),
        (gzip.compress(bytes(_LIMIT + 1)), "too_large"),
        (gzip.compress(b"no record at all\r\n\r\n"), "no_record"),
        (gzip.compress(_record(length=3)), "wrong_length"),
        (gzip.compress(_record() + _record()), "wrong_length"),
        (gzip.compress(_record(b"other", stated=b"other")), "wrong_digest"),
        (gzip.compress(_record(stated=b"other")), "wrong_digest"),
    ],
)
def test_what_is_not_the_record(data: bytes, error_class: str) -> None:
    with pytest.raises(RecordError) as caught:
        check_record(data, _URL, _DIGEST, _LIMIT)
    assert caught.value.error_class == error_class


def test_without_a_digest_in_the_index_the_url_decides() -> None:
    with pytest.raises(RecordError) as caught:
        check_record(gzip.compress(_record(url="http://b.example/")), _URL, None, _LIMIT)
    assert caught.value.error_class == "other_record"


_noise = st.binary(max_size=300)


@given(
    _noise | _noise.map(gzip.compress) | _noise.map(lambda b: gzip.compress(b"WARC/1.0\r\n" + b))
)
def test_any_other_bytes_are_refused_with_a_class(data: bytes) -> None:
    with pytest.raises(RecordError):
        check_record(data, _URL, _DIGEST, _LIMIT)


def test_real_records_of_common_crawl(sample_data: Path) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    path = sample_data / "warc" / "whirlwind.warc.gz"
    data = path.read_bytes()
    records = [
        (record.stream_pos, record.record_type, record.headers.get("WARC-Target-URI"),
         record.headers.get("WARC-Payload-Digest"))
        for record in ArchiveIterator(str(path), parse_http=False)
    ]  # fmt: skip
    ends = [place for place, *_ in records[1:]] + [len(data)]
    responses = 0
    for (start, kind, url, stated), end in zip(records, ends, strict=True):
        if kind == WarcRecordType.response:
            check_record(data[start:end], url, stated.removeprefix("sha1:"), _LIMIT)
            responses += 1
    assert responses
