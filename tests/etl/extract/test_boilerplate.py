"""Which lines are page furniture."""

from __future__ import annotations

import pytest

from etl.extract.boilerplate import is_boilerplate, main_lines

_PROSE = "The harbour was built in three years by the town itself, and paid for by a toll on salt."


@pytest.mark.parametrize(
    "line",
    [
        "Photo: J. Doe / Agency",
        "This site uses cookies to give you the best experience.",
        "Share this",
        "Subscribe to our newsletter",
        "© 2026 The Daily Ice",
        "Read more: another story",
        "Image 3 of 8",
        "ADVERTISEMENT",
        "责任编辑：王小明",
        "Filed under: Towns",
        "445 shares",
    ],
)
def test_furniture(line: str) -> None:
    assert is_boilerplate(line)


@pytest.mark.parametrize(
    "line",
    [
        _PROSE,
        "Subscribers had paid for the whole year.",
        "He closed the door.",
        "Share prices fell by a third.",
        "Photography was her second trade.",
        "She read more than anyone in the village, and wrote less. " * 3,
        "编辑部设在港口旁边的一座旧楼里，直到大桥通车的那一年。那时候没有人想过要搬走，因为租金很便宜，窗外就是大海。",
    ],
)
def test_running_text(line: str) -> None:
    assert not is_boilerplate(line)


def test_what_follows_a_closing_heading_is_cut() -> None:
    lines = [_PROSE, "", _PROSE, "", "Related Articles", "", "Short one", "Short two"]
    assert main_lines(lines) == [_PROSE, "", _PROSE, ""]


def test_a_heading_early_in_the_page_cuts_nothing() -> None:
    lines = ["Comments", _PROSE, _PROSE, _PROSE]
    assert main_lines(lines) == lines
