"""Bounds on what a page may cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl.extract.guard import nesting_depth, refusal, without_raw_text


def test_depth_ignores_void_elements_and_optional_end_tags() -> None:
    assert nesting_depth("<div><p>a<p>b<br><img></div><div><ul><li>c<li>d</ul></div>") == 2
    assert nesting_depth("<div>" * 7) == 7
    assert nesting_depth("</div>" * 7 + "<b>") == 1


def test_raw_text_is_no_markup() -> None:
    html = "<p>a<script>if (a<b) '<div>'</script>b<!-- <div> -->c<style><x></style>d"
    assert nesting_depth(without_raw_text(html)) == 0
    assert without_raw_text("a<script>never ends <div>") == "a"
    assert without_raw_text("a<!--><b>x<!-- <i> -->").count("<") == 1


def test_a_long_script_is_no_giant_tag() -> None:
    script = "<script>" + "var a = 1; " * 20_000 + "</script>"
    assert refusal(f"<p>text</p>{script}", max_tags=1000, max_depth=100) == ""


def test_reasons_name_the_setting() -> None:
    assert "max_tags=10" in refusal("<p>" * 11, max_tags=10, max_depth=9)
    assert "max_depth=9" in refusal("<div>" * 5000, max_tags=10_000, max_depth=9)


@given(st.text(alphabet="<>/!-abdivscript \"'=", max_size=200))
def test_never_raises_and_never_grows(html: str) -> None:
    assert len(without_raw_text(html)) <= len(html)
    assert nesting_depth(html) <= html.count("<")
