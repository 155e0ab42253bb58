"""The 7z archive of a site: read without unpacking, damaged ones told, nothing written."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.etl.ingest.test_stackexchange import POSTS, USERS, _ends, _rows, _site, post, posts_xml


def sevenzip(path: Path, members: dict[str, bytes]) -> Path:
    import py7zr

    with py7zr.SevenZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return path


def test_an_archive_gives_the_same_documents(tmp_path: Path) -> None:
    plain = _rows(_site(tmp_path, POSTS))
    members = {"Badges.xml": b"<badges></badges>", "Posts.xml": posts_xml(POSTS),
               "Users.xml": USERS.encode(), "sub/Votes.xml": b"x"}  # fmt: skip
    archive = sevenzip(tmp_path / "cooking.stackexchange.com.7z", members)
    packed = _rows(archive)
    assert _ends(packed) == _ends(plain)
    assert sorted(r.get("text") or "" for r in packed) == sorted(r.get("text") or "" for r in plain)
    assert {r["url"] for r in packed if r["_verdict"] == "kept"} == {
        r["url"] for r in plain if r["_verdict"] == "kept"
    }
    assert not list(tmp_path.glob("**/Votes.xml"))


def test_damaged_archives(tmp_path: Path) -> None:
    noise = random.Random(5).randbytes(200_000).hex().encode()
    data = posts_xml([*POSTS, *(post(n, 1, Body=noise[n * 9 : n * 9 + 3000].decode())
                                for n in range(100, 160))])  # fmt: skip
    whole = sevenzip(tmp_path / "a.7z", {"Posts.xml": data}).read_bytes()
    for name, damaged in {
        "cut": whole[: len(whole) // 2],
        "header": whole[:-20] + b"\xff" * 20,
        "magic": whole[:6] + b"\xff" * 300,
        "body": whole[:2000] + bytes(100) + whole[2100:],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        rows = _rows(tmp_path / name)
        assert _ends(rows)["corrupt_7z"] == 1, name
    other = sevenzip(tmp_path / "b.7z", {"readme.txt": b"x"})
    assert _ends(_rows(other)) == {"stackexchange.no_posts": 1}


def test_an_archive_that_inflates_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from etl.ingest import sevenzip as module

    monkeypatch.setattr(module, "_BOMB_BYTES", 1 << 20)
    bomb = sevenzip(tmp_path / "a.7z", {"Posts.xml": bytes(8 << 20)})
    assert _ends(_rows(bomb)) == {"decompression_bomb": 1}


def test_a_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    """Every number in a header that is not packed made as large as it can be, one at a time."""
    import io
    import struct
    import zlib

    import py7zr

    buffer = io.BytesIO()
    archive = py7zr.SevenZipFile(buffer, "w")
    archive.set_encoded_header_mode(False)
    archive.writestr(posts_xml(POSTS), "Posts.xml")
    archive.close()
    whole = buffer.getvalue()
    offset, size, _ = struct.unpack("<QQL", whole[12:32])
    header = whole[32 + offset : 32 + offset + size]
    for place in range(0, len(header), 3):
        changed = header[:place] + b"\xfe" + header[place + 1 :]
        start = struct.pack("<QQL", offset, size, zlib.crc32(changed))
        crc = struct.pack("<L", zlib.crc32(start))
        data = whole[:8] + crc + start + whole[32 : 32 + offset] + changed
        (tmp_path / "a.7z").write_bytes(data)
        assert _rows(tmp_path / "a.7z")


def test_memory_is_bounded_while_a_header_is_read() -> None:
    import resource

    from etl.ingest.sevenzip import _little_memory

    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(MemoryError), _little_memory():
        bytearray(3 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
