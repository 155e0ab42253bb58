from __future__ import annotations

from schemas.docs import tables_markdown
from schemas.tables import TABLES


def test_the_table_reference_has_every_table_once() -> None:
    page = tables_markdown()
    for spec in TABLES.values():
        assert page.count(f"## {spec.name}\n") == 1
        assert spec.comment in page
