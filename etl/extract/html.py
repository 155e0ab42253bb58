"""One web page into a title, its main text and its licence.

The parser and the main-content heuristics are resiliparse's
(github.com/chatnoir-eu/chatnoir-resiliparse); `boilerplate` raises their precision. Where they find
little of what the page shows, trafilatura (github.com/adbar/trafilatura), several times slower, has
a second look. Nothing here raises on hostile bytes but `PageError`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.extract.boilerplate import SKIPPED_CLASSES, SKIPPED_ELEMENTS, main_lines
from etl.extract.charset import BOMS, decode
from etl.extract.guard import refusal
from etl.licence.page import page_licence

if TYPE_CHECKING:
    from resiliparse.parse.html import HTMLTree

    from etl.licence.evidence import Evidence

# C0 and C1 controls but tab and newline, the byte order mark, noncharacters, lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_BLANK_RUN = re.compile(r"\n{3,}")
_MAGIC = {
    b"%PDF": "PDF",
    b"PK\x03\x04": "ZIP",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"\xff\xd8\xff": "JPEG",
    b"\x1f\x8b": "gzip",
}
_NUL_SHARE = 0.02
_DAMAGE = 0.3
_LITTLE_TEXT = 400  # characters
_TITLE_LENGTH = 500
# Of 615 real pages, 8 % have less than this share of their visible text in the fast extract; among
# them are 15 of the 19 on which trafilatura finds more than twice as much.
_UNSURE_SHARE = 0.15
_SECOND_LOOK_BYTES = 1_000_000
# resiliparse takes any list this near to the body for navigation; these are looked at here instead.
_SHALLOW_LISTS = "body > ul, body > * > ul, body > * > * > ul"
_LIST_DEPTH = 3
_LINKS_IN_PROSE = 0.3


class PageError(Exception):
    """Why a page cannot be extracted: a stable `error_class` and a message."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLimits:
    """What one page may cost. 8 MB, 200,000 tags and depth 1,000 keep it under about 3 s."""

    max_bytes: int = 8_000_000
    max_tags: int = 200_000
    max_depth: int = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says. `text` is NFC without control characters, paragraphs a blank line apart."""

    title: str | None
    text: str
    licence: str
    licence_evidence: str | None
    charset: str
    licence_statements: tuple[Evidence, ...] = ()


def clean_text(text: str) -> str:
    """NFC, no control characters, `\\n` line ends, no trailing spaces, one blank line at most."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", _CONTROLS.sub("", text))
    return _BLANK_RUN.sub("\n\n", "\n".join(map(str.rstrip, text.split("\n")))).strip()


def extract_page(
    html: bytes,
    content_type: str | None = None,
    limits: PageLimits | None = None,
    link: str | None = None,
) -> Page:
    """Extracts a page; `content_type` is the HTTP header, whose charset is believed if it fits, and
    `link` the header `Link`, which may name a licence.

    Raises `PageError` with class `empty_body`, `too_large`, `binary`, `undecodable`, `too_complex`
    or `broken_html`; nothing else. A page without main text has an empty `text`.
    """
    limits = limits or PageLimits()
    _refuse_bytes(html, limits)
    decoded = decode(html, content_type)
    if decoded.damage > _DAMAGE:
        share = f"{decoded.damage:.0%} of the non-ASCII bytes"
        raise PageError("undecodable", f"{share} decode in no charset, {decoded.charset} the best")
    if content_type and content_type.strip().lower().startswith("text/plain"):
        return Page(None, clean_text(decoded.text), "unknown", None, decoded.charset)
    source = decoded.text.replace("\x00", "")
    reason = refusal(source, max_tags=limits.max_tags, max_depth=limits.max_depth)
    if reason:
        raise PageError("too_complex", reason)
    try:
        tree = _parse(source)
        visible = _visible_text(tree)
        licence = page_licence(source, tree, visible, link)
        title, text = _title(tree), _main_text(tree)
        if len(text) < _UNSURE_SHARE * len(visible):
            text = _second_look(source, text)
    except (ValueError, TypeError, RuntimeError, MemoryError, RecursionError) as error:
        raise PageError("broken_html", f"{type(error).__name__}: {error}"[:200]) from error
    return Page(
        title, text, licence.spdx, licence.evidence, decoded.charset, licence.found
    )  # fmt: skip


def _refuse_bytes(html: bytes, limits: PageLimits) -> None:
    if not html.strip():
        raise PageError("empty_body", f"a body of {len(html)} bytes with nothing in it")
    if len(html) > limits.max_bytes:
        raise PageError("too_large", f"{len(html)} bytes, more than max_bytes={limits.max_bytes}")
    for magic, name in _MAGIC.items():
        if html.startswith(magic):
            raise PageError("binary", f"the bytes are {name}, not HTML")
    nuls = html.count(0)
    if nuls > _NUL_SHARE * len(html) and not html.startswith(tuple(bom for bom, _ in BOMS)):
        raise PageError("binary", f"{nuls} of {len(html)} bytes are NUL")


def _parse(source: str) -> HTMLTree:
    from resiliparse.parse.html import HTMLTree

    return HTMLTree.parse(source)


def _title(tree: HTMLTree) -> str | None:
    """The `title` element, else the only `h1`."""
    title = tree.title
    if not (title and title.strip()):
        headings = _headings(tree)
        title = headings[0].text if len(headings) == 1 else ""
    return " ".join(clean_text(title or "").split())[:_TITLE_LENGTH] or None


def _headings(tree: HTMLTree) -> Any:
    return tree.document.get_elements_by_tag_name("h1") if tree.document is not None else ()


def _lower_lists(tree: HTMLTree) -> None:
    """Moves lists that are text, not links, to where resiliparse looks at them as such."""
    lists = tree.document.query_selector_all(_SHALLOW_LISTS) if tree.document is not None else ()
    for node in lists:
        links = sum(len(link.text or "") for link in node.get_elements_by_tag_name("a"))
        if links > _LINKS_IN_PROSE * len(node.text or ""):
            continue
        outer: Any = tree.create_element("div")
        inner = outer
        for _ in range(_LIST_DEPTH - 1):
            inner = inner.append_child(tree.create_element("div"))
        node.replace_with(outer)
        inner.append_child(node)


def _main_text(tree: HTMLTree) -> str:
    _lower_lists(tree)
    skipped = list(SKIPPED_ELEMENTS)
    if len(_headings(tree)) == 1:
        skipped.append("h1")  # the title, kept as such; several are section headings
    text = _plain(tree, [*skipped, *SKIPPED_CLASSES])
    if len(text) < _LITTLE_TEXT:
        wider = _plain(tree, skipped)
        if len(wider) > max(_LITTLE_TEXT, 4 * len(text)):
            text = wider
    return text or _plain(tree, skipped, main_content=False)


def _visible_text(tree: HTMLTree) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(tree, alt_texts=False))


def _second_look(source: str, text: str) -> str:
    """trafilatura's extract, where it is more than twice as long and no snippet; else `text`."""
    if len(source) > _SECOND_LOOK_BYTES:
        return text
    from trafilatura import extract

    try:
        found = extract(source, fast=True, include_comments=False, include_tables=False)
    except Exception:
        return text  # hostile markup: whatever its parser stumbled over, the first look stands
    other = clean_text("\n".join(main_lines((found or "").split("\n"))))
    return other if len(other) > max(_LITTLE_TEXT, 2 * len(text)) else text


def _plain(tree: HTMLTree, skipped: list[str], **options: Any) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    text = extract_plain_text(
        tree,
        **({"main_content": True} | options),
        preserve_formatting=True,
        alt_texts=False,
        comments=False,
        post_meta=False,
        skip_elements=skipped,
    )
    return clean_text("\n".join(main_lines(text.split("\n"))))
