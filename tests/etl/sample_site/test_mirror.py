from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor

from etl.sample_site.mirror import serve_mirror


def test_pages_answer_to_their_own_host_and_target() -> None:
    pages = {
        "https://www.example.org/a/b.html?y=2&x=1": b"one",
        "http://other.example/": b"two",
    }
    with serve_mirror(pages, content_type="text/html; charset=utf-8") as mirror:
        host, port = mirror.address.split(":")

        def get(name: str, target: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(host, int(port), timeout=5)
            connection.request("GET", target, headers={"Host": name})
            response = connection.getresponse()
            found = response.status, response.read()
            connection.close()
            return found

        assert get("www.example.org", "/a/b.html?x=1&y=2") == (200, b"one")
        assert get("other.example", "/") == (200, b"two")
        assert get("www.example.org", "/") == (404, b"")
        assert mirror.host_map == {"*": mirror.address}
        assert "https://www.example.org/a/b.html?x=1&y=2" in mirror.seeds


def test_a_burst_of_connections_is_answered() -> None:
    """More connections at once than Python's default accept queue of five holds."""
    with serve_mirror({"http://a.example/": b"page"}) as mirror:
        host, port = mirror.address.split(":")

        def get(_: int) -> bytes:
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
            connection.request("GET", "/", headers={"Host": "a.example"})
            body = connection.getresponse().read()
            connection.close()
            return body

        with ThreadPoolExecutor(64) as pool:
            assert set(pool.map(get, range(64))) == {b"page"}
