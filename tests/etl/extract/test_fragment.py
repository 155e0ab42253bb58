"""Pieces of HTML: every word stays, hostile ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.fragment import fragment_text
from etl.extract.html import PageError, PageLimits


def test_all_words_stay_and_code_keeps_its_lines() -> None:
    html = "<h2>Title</h2><p>a &amp; <b>b</b></p><pre><code>if x:\n    y\n</code></pre><p>c</p>"
    assert fragment_text(html) == "Title\n\na & b\n\nif x:\n    y\n\nc"


def test_what_costs_too_much_is_refused() -> None:
    with pytest.raises(PageError, match="tags"):
        fragment_text("<i>" * 100, PageLimits(max_tags=50))
    with pytest.raises(PageError, match="deep"):
        fragment_text("<div>" * 9000)


@given(st.text(max_size=200))
def test_any_text_is_text(html: str) -> None:
    assert isinstance(fragment_text(html), str)
