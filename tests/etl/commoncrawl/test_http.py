"""Every way in which a server can answer a range badly, from a real server on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest
from aiohttp.abc import ResolveResult

from etl.commoncrawl.config import RangeConfig
from etl.commoncrawl.http import PublicResolver, open_http
from etl.commoncrawl.loopback import Archive, Fault, RangeServer
from etl.commoncrawl.reader import Piece, RangeError
from schemas.errors import InputError


def read(
    config: RangeConfig, path: str, offset: int, length: int, *, to_end: bool = False
) -> Piece:
    async def one() -> Piece:
        async with open_http(config) as reader:
            return await reader.read(path, offset, length, to_end=to_end)

    return asyncio.run(one())


@pytest.fixture
def path(archive: Archive) -> str:
    return str(archive.rows[0]["warc_filename"])


def whole(archive: Archive, path: str) -> bytes:
    return (archive.root / path).read_bytes()


def test_the_bytes_of_the_range(archive: Archive, config: RangeConfig, path: str) -> None:
    data = whole(archive, path)
    piece = read(config, path, 1_000, 2_000)
    assert piece.data == data[1_000:3_000]
    assert piece.total == len(data)
    assert piece.version


def test_the_last_range_may_be_shorter_when_that_is_meant(
    archive: Archive, config: RangeConfig, path: str
) -> None:
    data = whole(archive, path)
    assert read(config, path, len(data) - 10, 99, to_end=True).data == data[-10:]
    with pytest.raises(RangeError, match="was given") as caught:
        read(config, path, len(data) - 10, 99)
    assert caught.value.error_class == "wrong_range"
    with pytest.raises(RangeError) as caught:
        read(config, path, len(data), 99, to_end=True)
    assert caught.value.error_class == "http_416"


@pytest.mark.parametrize(
    ("fault", "error_class", "transient"),
    [
        (Fault.ERROR, "http_500", True),
        (Fault.SLOW_DOWN, "http_503", True),
        (Fault.TOO_MANY, "http_429", True),
        (Fault.FORBIDDEN, "http_403", False),
        (Fault.MISSING, "http_404", False),
        (Fault.REDIRECT, "http_302", False),
        (Fault.TRUNCATED, "truncated_body", True),
        (Fault.SHORT, "wrong_range", False),
        (Fault.WRONG_RANGE, "wrong_range", False),
        (Fault.LONG, "wrong_length", False),
        (Fault.ENCODED, "encoded", False),
        (Fault.HANGS, "timeout", True),
        (Fault.DRIPS, "timeout", True),
    ],
)
def test_a_bad_answer_has_a_class(
    config: RangeConfig,
    server: RangeServer,
    path: str,
    fault: Fault,
    error_class: str,
    transient: bool,
) -> None:
    server.fault = lambda hit: fault
    with pytest.raises(RangeError) as caught:
        read(dataclasses.replace(config, timeout_seconds=0.5), path, 100, 5_000)
    assert (caught.value.error_class, caught.value.transient) == (error_class, transient)
    assert caught.value.wait == (1.0 if fault == Fault.TOO_MANY else 0.0)


@pytest.mark.parametrize("fault", [Fault.IGNORES_RANGE, Fault.ENDLESS])
def test_a_server_that_ignores_range_is_cut_off(
    archive: Archive, config: RangeConfig, server: RangeServer, fault: Fault
) -> None:
    big = archive.root / "big.bin"
    big.write_bytes(bytes(range(256)) * 400_000)  # 100 MB
    server.fault = lambda hit: fault
    assert read(config, "big.bin", 1_000, 4_096).data == big.read_bytes()[1_000:5_096]
    assert server.sent < 20_000_000  # what fits into the sockets' buffers, and no more
    with pytest.raises(RangeError) as caught:
        read(config, "big.bin", config.max_skip_bytes + 1, 10)
    assert caught.value.error_class == "range_ignored"
    big.unlink()


def test_a_file_that_ends_too_soon(config: RangeConfig, server: RangeServer, path: str) -> None:
    server.fault = lambda hit: Fault.IGNORES_RANGE
    with pytest.raises(RangeError) as caught:
        read(dataclasses.replace(config, max_skip_bytes=10**9), path, 10**8, 10)
    assert caught.value.error_class == "beyond_end"


def test_nobody_listens(config: RangeConfig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(RangeError) as caught:
            read(dataclasses.replace(config, base_url=url), "x", 0, 1)
    assert (caught.value.error_class, caught.value.transient) == ("network_error", True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1"])
def test_a_private_address_is_refused(config: RangeConfig, server: RangeServer, host: str) -> None:
    url = f"http://{host}:{server.port}/"
    with pytest.raises(InputError, match="no public address"):
        read(dataclasses.replace(config, base_url=url, allow_private_addresses=False), "x", 0, 1)
    assert not server.hits


def test_a_name_that_leads_to_a_private_address_is_refused(
    config: RangeConfig, server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lies(host: str, port: int, *rest: object, **named: object) -> object:
        return real("127.0.0.1" if host == "data.example" else host, port, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lies)
    named = dataclasses.replace(config, base_url=f"http://data.example:{server.port}/")
    with pytest.raises(RangeError) as caught:
        read(named, "x", 0, 1)
    assert caught.value.error_class == "http_404"  # it does lead here, where that is allowed
    server.hits.clear()
    with pytest.raises(RangeError, match="not public"):
        read(dataclasses.replace(named, allow_private_addresses=False), "x", 0, 1)
    assert not server.hits


def test_public_addresses_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: object) -> list[ResolveResult]:
        return [
            ResolveResult(hostname="h", host=host, port=80, family=2, proto=6, flags=0)
            for host in ("10.0.0.1", "8.8.8.8", "::1")
        ]

    async def resolve() -> list[str]:
        resolver = PublicResolver()
        monkeypatch.setattr(resolver._inner, "resolve", found)
        return [entry["host"] for entry in await resolver.resolve("h", 80)]

    assert asyncio.run(resolve()) == ["8.8.8.8"]
