from __future__ import annotations

from io import BytesIO
from pathlib import Path

from fastwarc.warc import ArchiveIterator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.checker import Checker

from etl.crawl.warc import Exchange, WarcWriter

INFO = (("format", "WARC File Format 1.1"),)


def exchange(number: int, body: bytes = b"<p>hello</p>", **headers: str) -> Exchange:
    return Exchange(
        url=f"http://a.org/{number}",
        date="2026-01-01T00:00:00.000000Z",
        request_line=f"GET /{number} HTTP/1.1",
        request_headers=[("Host", "a.org"), ("User-Agent", "T/1 (+x)")],
        status_line="HTTP/1.1 200 OK",
        response_headers=[("Content-Type", "text/html"), *headers.items()],
        body=body,
        ip_address="192.0.2.1",
        metadata=[("hopsFromSeed", "1")],
    )


def check(path: Path) -> int:
    """The exit value of `warcio check`, which compares every digest."""

    class Command:
        inputs = (str(path),)
        verbose = False

    checker = Checker(Command())
    checker.process_all()
    return int(checker.exit_value)


def test_records_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    writer = WarcWriter(tmp_path, "site", INFO, 10**9)
    bodies = [b"one", b"", bytes(range(256)) * 40]
    places = [writer.write(exchange(i, body)) for i, body in enumerate(bodies)]
    writer.close()
    path = tmp_path / places[0].file
    assert check(path) == 0
    data = path.read_bytes()
    for number, (place, body) in enumerate(zip(places, bodies, strict=True)):
        archive = ArchiveIterator(
            BytesIO(data[place.offset : place.offset + place.length]),
            parse_http=True,
        )
        found = next(iter(archive))
        assert found.headers["WARC-Target-URI"] == f"http://a.org/{number}"
        assert found.reader.read() == body
    kinds = [r.headers["WARC-Type"] for r in ArchiveIterator(str(path), parse_http=False)]
    assert kinds == ["warcinfo", *["response", "request", "metadata"] * 3]
    assert data[places[-1].end :] == b""


def test_headers_describe_the_stored_bytes(tmp_path: Path) -> None:
    writer = WarcWriter(tmp_path, "site", INFO, 10**9)
    sent = {"Content-Encoding": "gzip", "Content-Length": "3", "X-Bad": "a\r\nSet-Cookie: b"}
    place = writer.write(exchange(1, b"plain text", **sent))
    writer.close()
    assert check(tmp_path / place.file) == 0
    for found in ArchiveIterator(str(tmp_path / place.file), parse_http=True):
        if found.headers["WARC-Type"] == "response":
            http = found.http_headers
            assert http["Content-Length"] == "10"
            assert http["X-Crawl-Content-Encoding"] == "gzip"
            assert http["X-Crawl-Content-Length"] == "3"
            assert http["X-Bad"] == "a  Set-Cookie: b"
            assert "Content-Encoding" not in dict(http.items())


def test_resume_cuts_what_does_not_count(tmp_path: Path) -> None:
    writer = WarcWriter(tmp_path, "site", INFO, 10**9)
    first = writer.write(exchange(1))
    writer.write(exchange(2))
    writer.close()
    (tmp_path / first.file).open("ab").write(b"torn record")
    (tmp_path / "site-00001.warc.gz").write_bytes(b"a later file")
    again = WarcWriter(tmp_path, "site", INFO, 10**9, resume=first)
    second = again.write(exchange(3))
    again.close()
    assert second.offset == first.end
    assert not (tmp_path / "site-00001.warc.gz").exists()
    assert check(tmp_path / first.file) == 0
    urls = {r.headers.get("WARC-Target-URI") for r in ArchiveIterator(str(tmp_path / first.file))}
    assert urls >= {"http://a.org/1", "http://a.org/3"}
    assert "http://a.org/2" not in urls


def test_files_are_closed_at_their_size_and_ids_repeat(tmp_path: Path) -> None:
    places = []
    for name in ("x", "y"):
        folder = tmp_path / name
        folder.mkdir()
        writer = WarcWriter(folder, "site", INFO, 1)
        places.append([writer.write(exchange(i)) for i in range(3)])
        writer.close()
    assert places[0] == places[1]
    assert [place.file for place in places[0]] == [f"site-0000{i}.warc.gz" for i in (1, 2, 3)]
    for path in (tmp_path / "x").glob("*.warc.gz"):
        assert path.read_bytes() == (tmp_path / "y" / path.name).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=200), st.text(max_size=30))
def test_hostile_bytes_and_headers_make_valid_records(
    tmp_path: Path, body: bytes, value: str
) -> None:
    writer = WarcWriter(tmp_path, "fuzz", INFO, 10**9, resume=None)
    place = writer.write(exchange(1, body, **{"X-Any": value}))
    writer.close()
    assert check(tmp_path / place.file) == 0
