"""The table reference: `python -m schemas.docs FILE` writes every spec as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.tables import TABLES


def tables_markdown() -> str:
    """One page for all tables, in the order of the graph."""
    pages = (spec.markdown() for spec in TABLES.values())
    return "# Tables\n\nGenerated from `schemas/tables.py`.\n\n" + "\n".join(pages)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(tables_markdown(), encoding="utf-8")
    print(target)
