"""Settings of formats are checked where they are made."""

from __future__ import annotations

import pytest

from etl.ingest.options import FormatOptions


@pytest.mark.parametrize("name", ["spill_bytes", "code_max_files", "pdf_seconds", "git_seconds"])
def test_bounds_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        FormatOptions(**{name: 0})  # type: ignore[arg-type]


def test_other_settings() -> None:
    assert FormatOptions(answer_min_score=-5).answer_min_score == -5
    with pytest.raises(ValueError, match="wiki_namespaces"):
        FormatOptions(wiki_namespaces=())


def test_they_come_from_a_profile() -> None:
    from pydantic import TypeAdapter, ValidationError

    from etl.extract.job import ExtractConfig

    adapter = TypeAdapter(ExtractConfig)
    given = {"formats": {"wiki_namespaces": [0, 14], "wiki_licence": "CC-BY-4.0"}}
    assert adapter.validate_python(given).formats.wiki_namespaces == (0, 14)
    with pytest.raises(ValidationError, match="code_max"):
        adapter.validate_python({"formats": {"code_max": 1}})
