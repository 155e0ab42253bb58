"""LaTeX source into text: paragraphs and section titles as lines, mathematics as LaTeX.

Nothing is executed: no TeX engine runs, and files are looked up among those given, by name. The
work is linear in the text that the given files and macros amount to, which is bounded.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from etl.ingest.latexrender import plain_latex

_MAIN = re.compile(r"^[^%\n]{0,200}\\document(?:class|style)\b", re.MULTILINE)
_BEGIN, _END = r"\begin{document}", r"\end{document}"
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")
_INPUT = re.compile(
    r"\\(?:input|include|subfile)\s*\{([^{}\n]{1,300})\}|\\input\s+([\w./-]{1,300})"
)
_MACRO = re.compile(
    r"\\(?:(?:re|provide)?newcommand|DeclareRobustCommand|providecommand)\*?\s*\{?\\([A-Za-z@]{1,60})"
    r"\}?\s*(\[[0-9]\])?|\\def\s*\\([A-Za-z@]{1,60})(?=[\s{])"
)
_CALL = re.compile(r"\\([A-Za-z@]{1,60})(?![A-Za-z@])(?:\{\})?")
_INPUTS_MOST, _DEPTH_MOST, _MACRO_LENGTH, _MACROS_MOST, _PASSES = 500, 12, 400, 2_000, 4


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper's text, its title and authors as it states them, and the name of its main file."""

    text: str
    title: str = ""
    authors: str = ""
    main: str = ""


def read_paper(files: Mapping[str, str], max_characters: int) -> Paper | None:
    """The paper that the files (name to source) make up; None where none begins a document.

    At most `max_characters` of source are put together, whatever the inputs and macros ask for.
    """
    main = main_file(files)
    if main is None:
        return None
    source = _Assembly(files, max_characters).of(main)
    begin, end = source.find(_BEGIN), source.find(_END)
    preamble = source[: begin if begin >= 0 else 0]
    body = source[begin + len(_BEGIN) if begin >= 0 else 0 : end if end > begin else len(source)]
    macros = _macros(source)
    body, head = (
        _expanded(body, macros, max_characters),
        _expanded(preamble, macros, max_characters),
    )
    return Paper(
        plain_latex(body),
        title=_argument(body, "title") or _argument(head, "title"),
        authors=_authors(body) or _authors(head),
        main=main,
    )


def main_file(files: Mapping[str, str]) -> str | None:
    """The file with `\\documentclass`; of several the one with a body, then the usual names."""
    starts = [name for name, text in files.items() if _MAIN.search(text)]
    starts = starts or [name for name, text in files.items() if _BEGIN in text]
    usual = ("main.tex", "ms.tex", "paper.tex", "article.tex")

    def order(name: str) -> tuple[bool, bool, int, int, str]:
        base = posixpath.basename(name).lower()
        return (_BEGIN not in files[name], base not in usual, name.count("/"),
                -len(files[name]), name)  # fmt: skip

    return min(starts, key=order, default=None)


class _Assembly:
    """Puts `\\input` files in their places: only those given, no cycle, up to a size."""

    def __init__(self, files: Mapping[str, str], limit: int) -> None:
        self._files, self._limit, self._inputs, self._size = files, limit, 0, 0

    def of(self, name: str, above: tuple[str, ...] = ()) -> str:
        text = _COMMENT.sub(r"\1", self._files[name])
        folder = posixpath.dirname(above[0] if above else name)
        parts, position = [], 0
        for found in _INPUT.finditer(text):
            parts.append(text[position : found.start()])
            position = found.end()
            inner = self._named(folder, (found.group(1) or found.group(2)).strip())
            self._inputs += 1
            if inner is None or inner in (*above, name) or len(above) >= _DEPTH_MOST:
                continue
            if self._inputs <= _INPUTS_MOST and self._size < self._limit:
                parts.append(self.of(inner, (*above, name)))
        parts.append(text[position:])
        whole = "".join(parts)[: self._limit]
        self._size += len(text)
        return whole

    def _named(self, folder: str, name: str) -> str | None:
        whole = posixpath.normpath(posixpath.join(folder, name))
        return next((n for n in (whole, f"{whole}.tex") if n in self._files), None)


def _macros(source: str) -> dict[str, str]:
    """Macros without arguments that are short: names, notations, units."""
    found: dict[str, str] = {}
    for macro in _MACRO.finditer(source):
        name = macro.group(1) or macro.group(3)
        start = macro.end()
        while start < len(source) and source[start] in " \t\n":
            start += 1
        body = _braced(source, start, _MACRO_LENGTH)
        if name and body is not None and not macro.group(2) and "#" not in body:
            found.setdefault(name, body)
        if len(found) >= _MACROS_MOST:
            break
    return {name: body for name, body in found.items() if f"\\{name}" not in body}


def _expanded(text: str, macros: Mapping[str, str], limit: int) -> str:
    if not macros:
        return text
    size = len(text)

    def body(found: re.Match[str]) -> str:
        nonlocal size
        macro = macros.get(found.group(1))
        if macro is None or size + len(macro) > limit or _defines(found):
            return found.group()
        size += len(macro)
        # Letters that follow must not become part of a command at the macro's end.
        return macro + ("{}" if re.search(r"\\[A-Za-z]+$", macro) else "")

    for _ in range(_PASSES):
        before, text = text, _CALL.sub(body, text)
        if text == before:
            break
    return text


def _defines(found: re.Match[str]) -> bool:
    return found.string[max(0, found.start() - 13) : found.start()].rstrip("{ ").endswith(
        ("newcommand", "\\def", "newcommand*", "providecommand")
    )  # fmt: skip


def _braced(text: str, start: int, most: int) -> str | None:
    """The inside of the braces that begin at `start`, if they close within `most` characters."""
    if text[start : start + 1] != "{":
        return None
    depth, place = 0, start
    while place < min(len(text), start + most):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : place]
        place += 1
    return None


def _argument(text: str, command: str) -> str:
    found = re.search(rf"\\{command}\*?\s*(?:\[[^\]]{{0,300}}\])?\s*(?=\{{)", text)
    inner = _braced(text, found.end(), 5_000) if found else None
    return " ".join(plain_latex(inner).split())[:500] if inner else ""


def _authors(text: str) -> str:
    named: list[str] = []
    for found in list(re.finditer(r"\\author\*?\s*(?:\[[^\]]{0,300}\])?\s*(?=\{)", text))[:100]:
        inner = _braced(text, found.end(), 5_000) or ""
        names = re.split(r"\\and\b|\\AND\b|\\And\b|\\\\", inner)
        named += [" ".join(plain_latex(name).split()) for name in names]
    return "; ".join(name for name in named if name)[:2_000]
