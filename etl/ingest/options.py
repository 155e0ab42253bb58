"""Settings of the formats that are more than records side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatOptions:
    """What each format's reader may cost, and what it takes.

    MediaWiki: pages of `wiki_namespaces` are read; `wiki_licence` (an SPDX id) is the licence of
    dumps whose site has no known rule. StackExchange: posts are spilled to disk and joined in parts
    of about `spill_bytes`; an answer with a score below `answer_min_score` is rejected, unless the
    asker accepted it. Source code: a file of more than `code_max_bytes` is rejected, and so is
    one whose lines are longer than `code_line_average` on average or `code_line_longest` at most;
    `code_max_files` bounds one repository. Archives: at most `archive_bytes` inflate in all, of at
    most `archive_members` members, for one paper or book. PDF: a process of its own with
    `pdf_seconds`, `pdf_memory` bytes and `pdf_pages` pages; fewer than `pdf_page_characters` a page
    is a scan. `git_seconds` bounds one call of git.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    wiki_namespaces: tuple[int, ...] = (0,)
    wiki_licence: str = ""
    spill_bytes: int = 32_000_000
    answer_min_score: int = 0
    code_max_bytes: int = 1_000_000
    code_line_average: int = 200
    code_line_longest: int = 10_000
    code_max_files: int = 1_000_000
    archive_bytes: int = 128_000_000
    archive_members: int = 20_000
    pdf_seconds: int = 60
    pdf_memory: int = 2_000_000_000
    pdf_pages: int = 2_000
    pdf_page_characters: int = 30
    git_seconds: int = 600

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int) and value < 1 and name != "answer_min_score":
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if not self.wiki_namespaces:
            raise ValueError("wiki_namespaces is empty; name at least one, as (0,)")
