"""Bounded streams: what was there before the damage, and then the damage."""

from __future__ import annotations

import bz2
import gzip
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.ingest import streams
from etl.ingest.streams import DamagedStream, open_chunks

_TEXT = b"".join(b"line %d of the file\n" % n for n in range(50_000))


def _read(path: Path) -> tuple[bytes, str]:
    data = b""
    try:
        for chunk in open_chunks(path):
            data += chunk
    except DamagedStream as damage:
        return data, damage.error_class
    return data, ""


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    "data",
    [
        _TEXT,
        gzip.compress(_TEXT),
        gzip.compress(_TEXT[:1000]) + gzip.compress(_TEXT[1000:]),
        gzip.compress(_TEXT) + b"\0" * 512,
        bz2.compress(_TEXT),
        bz2.compress(_TEXT[:1000]) + bz2.compress(_TEXT[1000:]),
        _zstd(_TEXT),
        _zstd(_TEXT[:1000]) + _zstd(_TEXT[1000:]),
    ],
)
def test_whole_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    assert _read(tmp_path / "f") == (_TEXT, "")


@pytest.mark.parametrize(
    ("data", "error_class"),
    [(gzip.compress(_TEXT), "truncated_gzip"), (bz2.compress(_TEXT), "truncated_bzip2"),
     (_zstd(_TEXT), "truncated_zstd")],
)  # fmt: skip
def test_truncated_files_give_what_is_there(tmp_path: Path, data: bytes, error_class: str) -> None:
    (tmp_path / "f").write_bytes(data[: len(data) // 2])
    found, error = _read(tmp_path / "f")
    assert error == error_class
    assert _TEXT.startswith(found)
    if error_class == "truncated_gzip":
        assert len(found) > len(_TEXT) // 4


def test_damaged_gzip(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(_TEXT))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "f").write_bytes(bytes(data))
    assert _read(tmp_path / "f")[1] == "corrupt_gzip"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, _zstd])
def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    monkeypatch.setattr(streams, "_BOMB_BYTES", 4 << 20)
    (tmp_path / "f").write_bytes(pack(b"\0" * (64 << 20)))  # type: ignore[operator]
    found, error = _read(tmp_path / "f")
    assert error == "decompression_bomb"
    assert len(found) < 32 << 20


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.integers(0, 200),
    st.sampled_from([gzip.compress, bz2.compress, _zstd]),
)
def test_any_cut_or_garbage_ends_in_damage_or_data(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, pack: object
) -> None:
    path = tmp_path_factory.mktemp("s") / "f"
    path.write_bytes(pack(data)[:cut] + data)  # type: ignore[operator]
    found, error = _read(path)
    assert isinstance(found, bytes)
    assert error in {
        "", "truncated_gzip", "corrupt_gzip", "truncated_zstd", "corrupt_zstd",
        "truncated_bzip2", "corrupt_bzip2",
    }  # fmt: skip


def test_gzip_trailer_is_checked(tmp_path: Path) -> None:
    data = gzip.compress(b"hello")
    wrong = data[:-8] + (zlib.crc32(b"other")).to_bytes(4, "little") + data[-4:]
    (tmp_path / "f").write_bytes(wrong)
    assert _read(tmp_path / "f")[1] == "corrupt_gzip"
