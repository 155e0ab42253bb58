"""Wikitext into plain text in time linear in its length, whatever it holds.

A full parser (mwparserfromhell) takes minutes for 100 KB of unclosed tags, tables or links, and it
cannot be stopped; here brackets are matched once with a stack of bounded depth. Source: the markup
as mediawiki.org/wiki/Help:Formatting describes it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_DEPTH = 60  # brackets inside brackets; what is deeper is text
_FOREIGN = re.compile("[\ue000\ue001]")
_COMMENT_OPEN, _COMMENT_CLOSE = "<!--", "-->"
_TAG = re.compile(
    r"<(/?)(ref|gallery|timeline|imagemap|score|graph|mapframe|maplink|templatedata|indicator|"
    r"includeonly|nowiki|pre|math|chem|syntaxhighlight|source)\b([^<>]{0,1000})>",
    re.IGNORECASE,
)
_VERBATIM = frozenset({"nowiki", "pre", "syntaxhighlight", "source"})
_FORMULA = frozenset({"math", "chem"})
_BRACKET = re.compile(r"\{\{\{(?!\{)|\{\{|\}\}|\[\[|\]\]|^[ \t:]*\{\||^[ \t]*\|\}", re.MULTILINE)
_EXTERNAL = re.compile(
    r"\[(?:(?:https?|ftp):)?//[^\s\[\]<>]{1,2000}[ \t]*([^\[\]\n]{0,1000})\]", re.IGNORECASE
)
_HEADING = re.compile(r"^(={1,6})[ \t]*([^\n]{1,500}?)[ \t]*\1[ \t]*$")
_BREAK = re.compile(r"<(?:br|hr|/p|/div|/li|/tr)\b[^<>]{0,200}>", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]{0,1000}>")
_QUOTES = re.compile(r"'{2,}")
_SWITCH = re.compile(r"__[A-Z]{3,30}__|-\{[^{}|]{0,10}\||\}-")
_BLANK = re.compile(r"\n{3,}")
_LIST = re.compile(r"^[*#:;]{1,30}[ \t]*")
_SPACES = re.compile(r"[ \t\u00a0]{2,}")
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,12})?:[^|]+")
_CELL_OPTIONS = re.compile(r"^[^\[\]{}|\n]{0,500}=[^\[\]{}|\n]{0,500}\|(?!\|)")
_BOX = re.compile(r"\bclass\s*=[^\n|]{0,200}(?:infobox|navbox|ambox|metadata|sidebar|toccolours)")
_FILES = ("file", "image", "media")
_CATEGORIES = ("category",)
# Templates whose words stand in the sentence: which of their arguments a reader sees.
_SHOWN: dict[str, Callable[[list[str]], str]] = {
    "lang": lambda a: a[1] if len(a) > 1 else "",
    "transl": lambda a: a[-1] if a else "",
    "transliteration": lambda a: a[-1] if a else "",
    "nowrap": lambda a: a[0] if a else "",
    "nobr": lambda a: a[0] if a else "",
    "small": lambda a: a[0] if a else "",
    "abbr": lambda a: a[0] if a else "",
    "em": lambda a: a[0] if a else "",
    "strong": lambda a: a[0] if a else "",
    "sup": lambda a: a[0] if a else "",
    "sub": lambda a: a[0] if a else "",
    "as of": lambda a: f"As of {' '.join(reversed(a))}" if a else "",
    "convert": lambda a: " ".join(a[:2]),
    "cvt": lambda a: " ".join(a[:2]),
    "circa": lambda a: f"c. {a[0]}" if a else "c.",
    "c.": lambda a: f"c. {a[0]}" if a else "c.",
    "nbsp": lambda _: " ",
    "spaced ndash": lambda _: " – ",
    "snd": lambda _: " – ",
    "ndash": lambda _: "–",
    "mdash": lambda _: "—",
    "'": lambda _: "'",
    "!": lambda _: "|",
    "=": lambda _: "=",
}


@dataclass(frozen=True, slots=True)
class Wiki:
    """The names that a wiki calls its namespaces of files and of categories, in lower case."""

    files: frozenset[str] = frozenset(_FILES)
    categories: frozenset[str] = frozenset(_CATEGORIES)


@dataclass(frozen=True, slots=True)
class Plain:
    """`text`: paragraphs, section titles and table rows as lines; the page's categories."""

    text: str
    categories: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    wiki: Wiki
    kept: list[str] = field(default_factory=list)  # what placeholders stand for
    categories: list[str] = field(default_factory=list)

    def protect(self, text: str) -> str:
        self.kept.append(text)
        return f"\ue000{len(self.kept) - 1}\ue001"


def plain_text(wikitext: str, wiki: Wiki | None = None) -> Plain:
    """Main text of a page: no references, pictures, boxes or markup; never raises.

    Formulas stay as LaTeX between `$`, code as it is, data tables as rows of cells with ` | `.
    Sections that hold no text once that is gone (references, most often) lose their title too.
    """
    reading = _Reading(wiki or Wiki())
    text = _without_comments(_FOREIGN.sub("", wikitext.replace("\r\n", "\n")))
    text = _elements(text, reading)
    text = _brackets(text, reading)
    text = _EXTERNAL.sub(r"\1", text)
    text = _SWITCH.sub("", _MARKUP.sub("", _BREAK.sub("\n", text)))
    text = html.unescape(_QUOTES.sub("", text))
    lines = _sections(text.split("\n"))
    text = _restored("\n".join(lines), reading.kept)
    return Plain(_BLANK.sub("\n\n", text).strip(), tuple(dict.fromkeys(reading.categories)))


def _without_comments(text: str) -> str:
    parts: list[str] = []
    position = 0
    while (start := text.find(_COMMENT_OPEN, position)) >= 0:
        parts.append(text[position:start])
        end = text.find(_COMMENT_CLOSE, start + 4)
        if end < 0:
            return "".join(parts)
        position = end + 3
    return "".join([*parts, text[position:]])


def _elements(text: str, reading: _Reading) -> str:
    """Takes out references and what is no prose; puts code and formulas behind placeholders."""
    parts: list[str] = []
    position, opened, start = 0, "", 0
    for tag in _TAG.finditer(text):
        closing, name, rest = tag.group(1), tag.group(2).lower(), tag.group(3)
        if not opened:
            parts.append(text[position : tag.start()])
            position = tag.end()
            if not closing and not rest.endswith("/"):
                opened, start = name, len(parts)
        elif closing and name == opened:
            parts[start:] = [_element(name, text[position : tag.start()], reading)]
            opened, position = "", tag.end()
    return "".join([*parts, text[position:]])


def _element(name: str, content: str, reading: _Reading) -> str:
    if name in _FORMULA:
        formula = " ".join(content.split())
        return reading.protect(f"${formula}$") if formula else ""
    if name in _VERBATIM:
        inline = name == "nowiki"
        return reading.protect(content) if inline else f"\n{reading.protect(content.strip())}\n"
    return ""


def _brackets(text: str, reading: _Reading) -> str:
    """Resolves templates, links and tables from the inside out. Brackets without a partner stay."""
    stack: list[tuple[str, list[str]]] = [("", [])]
    waiting = dict.fromkeys(("{{", "[[", "{|"), 0)
    position = 0
    while found := _BRACKET.search(text, position):
        stack[-1][1].append(text[position : found.start()])
        position = found.end()
        token = found.group()
        mark = token.strip(" \t:")
        kind = mark[:2]
        if kind in waiting:
            if len(stack) > _DEPTH:
                stack[-1][1].append(token)
                continue
            stack.append((kind, [token[2:] if kind == "{{" else ""]))
            waiting[kind] += 1
            continue
        opener = {"}}": "{{", "]]": "[[", "|}": "{|"}[kind]
        if not waiting[opener]:
            stack[-1][1].append(token)
            continue
        while stack[-1][0] != opener:  # left open inside
            lost, parts = stack.pop()
            waiting[lost] -= 1
            stack[-1][1].extend((lost, *parts))
        _, parts = stack.pop()
        waiting[opener] -= 1
        if parts[0] == "{" and text.startswith("}", position):
            position += 1  # the third brace of a parameter
        content = "".join(parts)
        stack[-1][1].append(_RESOLVED[opener](content, reading))
    tail = [text[position:]]
    while len(stack) > 1:
        lost, parts = stack.pop()
        tail = ["" if lost == "{|" else lost, *parts, *tail]
    return "".join([*stack[0][1], *tail])


def _template(content: str, _: _Reading) -> str:
    if content.startswith("{"):
        return ""  # {{{a parameter}}}
    name, *arguments = content.split("|")
    shown = _SHOWN.get(" ".join(name.replace("_", " ").split()).lower())
    if shown is None:
        return ""
    plain = [argument.strip() for argument in arguments if "=" not in argument]
    return shown(plain)


def _link(content: str, reading: _Reading) -> str:
    target, _, label = content.partition("|")
    plain = target.strip()
    prefix = plain.partition(":")[0].strip().lower() if ":" in plain else ""
    if prefix in reading.wiki.files:
        return ""
    if prefix in reading.wiki.categories:
        reading.categories.append(plain.partition(":")[2].strip()[:200])
        return ""
    if not label and _LANGUAGE_LINK.fullmatch(plain):
        return ""
    return label or plain.lstrip(":")


def _table(content: str, _: _Reading) -> str:
    """Rows as lines; boxes of navigation and facts beside the text are left out."""
    options, _newline, body = content.partition("\n")
    if _BOX.search(options):
        return ""
    rows: list[list[str]] = [[]]
    for line in body.split("\n"):
        line = line.strip()
        if line.startswith("|-"):
            rows.append([])
        elif line.startswith("|+"):
            rows.append([_cell(line[2:])])
            rows.append([])
        elif line[:1] in ("|", "!"):
            parts = line[1:].replace("!!", "||") if line[0] == "!" else line[1:]
            rows[-1].extend(_cell(part) for part in parts.split("||"))
        elif line and rows[-1]:
            rows[-1][-1] = f"{rows[-1][-1]} {line}".strip()
    lines = [" | ".join(filter(None, row)) for row in rows]
    return "\n" + "\n".join(line for line in lines if line) + "\n"


def _cell(text: str) -> str:
    return _CELL_OPTIONS.sub("", text, count=1).strip()


_RESOLVED: dict[str, Callable[[str, _Reading], str]] = {
    "{{": _template,
    "[[": _link,
    "{|": _table,
}


def _sections(lines: list[str]) -> list[str]:
    """Lines without list marks, and titles only of sections that hold something."""
    out: list[str] = []
    titles: list[tuple[int, str]] = []  # that wait for text of theirs
    for raw in lines:
        line = raw.rstrip()
        if found := _HEADING.match(line):
            level = len(found.group(1))
            while titles and titles[-1][0] >= level:
                titles.pop()
            titles.append((level, found.group(2).strip()))
            continue
        line = _SPACES.sub(" ", _listed(line)).strip()
        if line and titles and (line.strip("-–•|().,; ")):
            for _, title in titles:
                out += ["", title, ""]
            titles.clear()
        if line or (out and out[-1]):
            out.append(line)
    return out


def _listed(line: str) -> str:
    found = _LIST.match(line)
    if not found:
        return line
    rest = line[found.end() :]
    return f"- {rest}" if rest and found.group().strip()[-1] in "*#" else rest


_HELD = re.compile("\ue000(\\d+)\ue001")


def _restored(text: str, kept: list[str]) -> str:
    return _HELD.sub(lambda found: kept[int(found.group(1))], text)
