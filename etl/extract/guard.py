"""What a hostile page could cost, bounded before it is parsed.

The parser is linear, but the extractor's time grows with the square of the nesting depth (20,000
nested `div` take 7 s), and the parser's with the square of the attributes of one element (20,000
take 1 s). Both are counted here in one pass over the text, and only for pages that could hurt.
"""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Void elements, and elements whose end tag is optional and which close each other.
_NOT_NESTING = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr", "li", "p", "td", "th", "tr", "dt", "dd", "option", "optgroup",
        "thead", "tbody", "tfoot", "colgroup", "rt", "rp", "body", "html", "head",
    }
)  # fmt: skip
_FREE_TAGS = 4000  # a page with fewer cannot nest deeply enough to matter
_RAW_START = re.compile(r"<(script|style|textarea|title)\b|<!--", re.IGNORECASE)
_RAW_END = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title")
}
_LONG_TAG = 50_000  # characters without a `>`
_MAX_SPACES_IN_TAG = 4000


def without_raw_text(html: str) -> str:
    """The page without scripts, styles and comments, whose `<` open no element. Linear."""
    parts: list[str] = []
    position = 0
    while start := _RAW_START.search(html, position):
        parts.append(html[position : start.start()])
        name = start.group(1)
        if name is None:
            position = html.find("-->", start.start() + 2)  # `<!-->` is a whole comment
        else:
            end = _RAW_END[name.lower()].search(html, start.end())
            position = end.start() if end else -1
        if position < 0:
            return "".join(parts)
    return "".join([*parts, html[position:]])


def nesting_depth(html: str) -> int:
    """An upper estimate of the depth of the element tree."""
    depth = deepest = 0
    for closing, name in _TAG.findall(html):
        if name.lower() in _NOT_NESTING:
            continue
        if closing:
            depth = max(0, depth - 1)
        else:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _has_giant_tag(html: str) -> bool:
    if max(map(len, html.split(">"))) < _LONG_TAG:
        return False
    rest = without_raw_text(html)
    return any(
        len(part.split()) > _MAX_SPACES_IN_TAG
        for part in rest.split(">")
        if len(part) >= _LONG_TAG and "<" in part
    )


def refusal(html: str, *, max_tags: int, max_depth: int) -> str:
    """Why this page must not be parsed, or an empty string."""
    tags = html.count("<")
    if tags > max_tags:
        return f"{tags} tags, more than max_tags={max_tags}"
    if tags > _FREE_TAGS and (depth := nesting_depth(without_raw_text(html))) > max_depth:
        return f"elements nested {depth} deep, more than max_depth={max_depth}"
    if _has_giant_tag(html):
        return f"one tag with more than {_MAX_SPACES_IN_TAG} attributes"
    return ""
