"""A piece of HTML that is text by itself (a post, a chapter) into plain text: all of it."""

from __future__ import annotations

from etl.extract.guard import refusal
from etl.extract.html import PageError, PageLimits, clean_text


def fragment_text(html: str, limits: PageLimits | None = None) -> str:
    """Every word of `html`, code with its line breaks; nothing is taken for boilerplate.

    Raises `PageError` with class `too_complex` or `broken_html`; nothing else.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    limits = limits or PageLimits()
    source = html.replace("\x00", "")
    if reason := refusal(source, max_tags=limits.max_tags, max_depth=limits.max_depth):
        raise PageError("too_complex", reason)
    try:
        tree = HTMLTree.parse(source)
        text = extract_plain_text(
            tree, main_content=False, preserve_formatting=True, alt_texts=False
        )
    except (ValueError, TypeError, RuntimeError, MemoryError, RecursionError) as error:
        raise PageError("broken_html", f"{type(error).__name__}: {error}"[:200]) from error
    return clean_text(text)
