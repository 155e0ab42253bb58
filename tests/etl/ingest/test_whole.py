"""Files that are one document: whole, or a reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from etl.ingest.whole import DocumentError, decoded, read_whole


def test_whole_or_too_large(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(b"x" * 1000))
    assert read_whole(tmp_path / "a", 1000) == b"x" * 1000
    with pytest.raises(DocumentError, match="more than 999") as error:
        read_whole(tmp_path / "a", 999)
    assert error.value.error_class == "too_large"


def test_damage_has_its_class(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(bytes(range(256)) * 99)[:-9])
    with pytest.raises(DocumentError) as error:
        read_whole(tmp_path / "a", 1 << 20)
    assert error.value.error_class == "truncated_gzip"


@pytest.mark.parametrize(
    ("data", "text"),
    [("ä\r\nö".encode(), "ä\nö"), ("\ufeffä".encode(), "ä"), ("ä".encode("utf-16"), "ä")],
)
def test_charsets(data: bytes, text: str) -> None:
    assert decoded(data) == text


def test_no_text() -> None:
    with pytest.raises(DocumentError) as error:
        decoded(b"a\x00b")
    assert error.value.error_class == "binary"
