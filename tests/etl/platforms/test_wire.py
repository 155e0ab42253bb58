from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from etl.platforms import wire
from tests.etl.platforms.site import Site

ROOT = Path(__file__).parents[3]

GUARDED = """
import socket, subprocess, sys, os
from etl.platforms import wire
url, port = sys.argv[1], int(sys.argv[2])
wire.guard_process()
def refused(action):
    try:
        action()
    except PermissionError:
        return True
    return False
assert refused(lambda: socket.create_connection(("127.0.0.1", port)))
assert refused(lambda: subprocess.run(["true"]))
assert refused(lambda: os.system("true"))
assert refused(os.fork)
answer = wire.send(url, {}, timeout=5, allow_private=True)
assert answer.body.read_some(100) == b"x", "through the gate it works"
try:
    wire.send(url, {}, timeout=5, allow_private=False)
except wire.AddressRefusedError:
    print("guarded")
"""


def test_a_guarded_process_has_no_other_way_out(site: Site) -> None:
    site.add("/a", "x")
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, site.url("/a"), str(site.port)],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "guarded", done.stderr
    assert len(site.log) == 1


def get(site: Site, path: str) -> wire.Answer:
    return wire.send(site.url(path), {}, timeout=5, allow_private=True)


def test_encoded_bodies_are_read_piece_by_piece(site: Site) -> None:
    text = b"abc" * 100_000
    site.add("/z", zlib.compress(text), headers={"Content-Encoding": "deflate"})
    assert get(site, "/z").body.read_some(len(text) + 1) == text
    assert get(site, "/z").body.read_some(10) == text[:10]
    site.add("/br", b"?", headers={"Content-Encoding": "br"})
    with pytest.raises(wire.WireError, match="br"):
        get(site, "/br")
    site.add("/bad", b"not deflate", headers={"Content-Encoding": "deflate"})
    with pytest.raises(wire.WireError):
        get(site, "/bad").body.read_some(10)


def test_a_server_that_is_not_there(site: Site) -> None:
    with pytest.raises(wire.WireError):
        wire.send("http://127.0.0.1:1/", {}, timeout=2, allow_private=True)
    with pytest.raises(wire.WireError):
        wire.send(f"https://{site.host}/", {}, timeout=2, allow_private=True)  # speaks no TLS
