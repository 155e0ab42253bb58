from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.sample_site import build_site
from etl.sample_site.server import SampleServer, serve


@pytest.fixture(scope="module")
def server(seed: int) -> Iterator[SampleServer]:
    with serve(build_site(seed, pages=120)) as running:
        yield running


def get(
    server: SampleServer, host: str, path: str, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(host, server.port, timeout=5)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_pages_answer_with_their_bytes_on_their_host(server: SampleServer) -> None:
    for page in server.site.pages[::7]:
        if page.delay < 0:
            continue
        response, body = get(server, page.truth.host, page.truth.path)
        assert (response.status, body) == (page.status, page.body)
    tracked, _ = get(server, "127.0.0.1", "/?utm_source=x")
    assert tracked.status == 200
    missing, _ = get(server, "127.0.0.1", "/nothing-here")
    assert missing.status == 404


def test_conditional_requests(server: SampleServer) -> None:
    pages = [p for p in server.site.pages if p.status == 200]
    tagged = next(p for p in pages if "ETag" in p.headers)
    dated = next(p for p in pages if "Last-Modified" in p.headers)
    place = (tagged.truth.host, tagged.truth.path)
    response, body = get(server, *place, If_None_Match=tagged.headers["ETag"])
    assert (response.status, body) == (304, b"")
    assert get(server, *place, If_None_Match='"other"')[0].status == 200
    dated_place = (dated.truth.host, dated.truth.path)
    modified = dated.headers["Last-Modified"]
    assert get(server, *dated_place, If_Modified_Since=modified)[0].status == 304
    assert server.requests[-1].conditional


def test_robots_and_the_log(server: SampleServer) -> None:
    assert b"Crawl-delay: 0.02" in get(server, "127.0.0.3", "/robots.txt")[1]
    assert get(server, "127.0.0.4", "/robots.txt")[0].status == 404
    seen = server.requests[-2:]
    assert [(r.host, r.path, r.status) for r in seen] == [
        ("127.0.0.3", "/robots.txt", 200), ("127.0.0.4", "/robots.txt", 404)
    ]  # fmt: skip


def test_a_silent_page_never_answers(server: SampleServer) -> None:
    page = next(p for p in server.site.pages if p.delay < 0)
    with socket.create_connection((page.truth.host, server.port), timeout=1) as connection:
        connection.sendall(f"GET {page.truth.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_own_process(tmp_path: Path, seed: int) -> None:
    truth, log = tmp_path / "truth.jsonl", tmp_path / "log.jsonl"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "etl.sample_site", "--seed", str(seed), "--pages", "120",
        "--day", "1", "--port", str(port), "--truth", str(truth), "--log", str(log),
    ]  # fmt: skip
    root = str(Path(__file__).parents[3])
    env = os.environ | {"PYTHONPATH": root}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/\n"
        connection = http.client.HTTPConnection("127.0.0.2", port, timeout=5)
        connection.request("GET", "/latest.html")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert json.loads(log.read_text())["path"] == "/latest.html"
    expected = build_site(seed, 1, 120, port).truth()
    assert truth.read_text(encoding="utf-8") == expected
