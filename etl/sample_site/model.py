"""What the sample site is made of: pages, and the truth about each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
DEFAULT_PORT = 8765


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a perfect pipeline would find out about one URL.

    `expectation` is the verdict that a crawl should reach (as in the table `fetches`).
    `language` is ISO 639-3 with the script where there are several, or `und`. `duplicate_of` is
    the URL of the page that this one copies: word for word, or with small edits when `near`.
    `quality` is `good`, `thin`, `spam`, `index` (navigation only) or `none` (no page at all).
    `template` names a family of pages that share boilerplate and are no duplicates. `pii` are
    (entity, value) pairs planted in the text, `hard_negatives` are (kind, value) pairs that look
    like personal data and are none. `text` is the main text, paragraphs separated by a newline.
    """

    url: str
    host: str
    path: str
    language: str = "und"
    title: str = ""
    text: str = ""
    quality: str = "none"
    licence: str = "unknown"
    duplicate_of: str | None = None
    near: bool = False
    template: str | None = None
    pii: tuple[tuple[str, str], ...] = ()
    hard_negatives: tuple[tuple[str, str], ...] = ()
    markup: str = "clean"  # clean, broken, legacy_charset, wrong_charset
    noindex: bool = False
    allowed_by_robots: bool = True
    expectation: str = "fetched"
    changed_on: int = 0  # day on which the page got its present form
    linked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One URL as the server answers it. `delay` is in seconds; a negative one never answers."""

    truth: Truth
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All hosts on one day. `robots` holds the robots.txt of each host that has one."""

    seed: int
    day: int
    size: int
    port: int
    pages: list[Page]
    robots: Mapping[str, str]

    @property
    def seeds(self) -> list[str]:
        """The URLs that a crawl starts from: the home page of each host."""
        return [f"http://{host}:{self.port}/" for host in HOSTS]

    def by_url(self) -> dict[str, Page]:
        return {page.truth.url: page for page in self.pages}

    def truth(self) -> str:
        """The truth about every page as JSON lines."""
        lines = (json.dumps(asdict(p.truth), ensure_ascii=False) for p in self.pages)
        return "".join(f"{line}\n" for line in lines)

    def duplicate_groups(self) -> list[set[str]]:
        """Sets of URLs with one content, exact or near, among the pages that exist."""
        groups: dict[str, set[str]] = {}
        for page in self.pages:
            original = page.truth.duplicate_of
            if original is not None and page.status == 200:
                groups.setdefault(original, {original}).add(page.truth.url)
        return list(groups.values())
