"""What the UI is shown of crawled text, and of the tables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.metadata import cell, definition_metadata, markdown_table, report_metadata
from schemas.report import JobReport
from schemas.tables import TABLES


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "![x](http://tracker.example/p.png)",
        "a | b | c\n| new | row |",
        "`code` **bold** <!-- c --> &lt;b&gt;",
        "https://evil.example/?q=1",
    ],
)
def test_hostile_text_becomes_plain_characters(hostile: str) -> None:
    escaped = re.sub(r"&#\d+;", "", cell(hostile))
    assert not set(escaped) & set("<>[]()|`*!:/&\n")


@given(st.text(max_size=300))
def test_a_cell_is_one_line_and_bounded(text: str) -> None:
    shown = cell(text)
    assert "\n" not in shown
    assert len(re.sub(r"&#\d+;", "x", shown)) <= 80
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x1f]", shown)


def test_a_table_has_as_many_cells_as_columns() -> None:
    lines = markdown_table(("a", "b"), [("x|y", 1), ("z", None)]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {3}


def test_report_metadata_holds_every_outcome() -> None:
    report = JobReport(
        verb="filter", rows_in=10, kept=6, rejected={"gopher.words": 3}, quarantined=1
    )
    shown = report_metadata(report, "0123456789abcdef")
    assert (shown["rows_in"], shown["kept"], shown["rejected"], shown["quarantined"]) == (
        10, 6, 3, 1,
    )  # fmt: skip
    assert "gopher" in shown["funnel"].value
    assert "60" in shown["funnel"].value
    assert "data:image/png;base64,iVBOR" in shown["funnel_plot"].value


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_schema_shown_is_the_specs(name: str) -> None:
    schema = definition_metadata(TABLES[name])["dagster/column_schema"]
    assert [column.name for column in schema.columns] == TABLES[name].column_names
    assert all(column.description for column in schema.columns)
