"""Path patterns: stars inside segments, double stars across them, never slow."""

from __future__ import annotations

import time

import pytest

from etl.licence.globs import matches


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*.py", "a.py", True),
        ("*.py", "b/a.py", False),
        ("b/*.py", "b/a.py", True),
        ("**/*.py", "x/y/a.py", True),
        ("**/*.py", "a.py", True),
        ("src/**", "src/a/b", True),
        ("src/**", "lib/a", False),
        ("src/**/t.c", "src/t.c", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("[ab]", "a", False),
        ("", "a", False),
    ],
)
def test_patterns(pattern: str, path: str, found: bool) -> None:
    assert matches(pattern, path) == found


def test_many_stars_are_quick() -> None:
    started = time.process_time()
    assert not matches("*a" * 140 + "b", "a" * 4000)
    assert not matches("**/" * 90 + "b", "a/" * 2000)
    assert time.process_time() - started < 2
