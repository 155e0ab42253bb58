"""The body of a LaTeX document into text, in one walk over it.

Sources: the LaTeX2e reference manual (latexref.xyz); arXiv's own papers say which packages matter.
"""

from __future__ import annotations

import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MATH_SPAN = 20_000
_MATH = _words(
    "equation equation* align align* gather gather* multline multline* eqnarray eqnarray* "
    "displaymath math flalign flalign* alignat alignat* dmath dmath* subequations"
)
_VERBATIM = _words("verbatim verbatim* lstlisting minted Verbatim alltt")
_DROPPED = _words(
    "thebibliography tabular tabular* tabularx longtable tikzpicture picture pspicture comment "
    "CJK filecontents filecontents* keywords IEEEkeywords CCSXML"
)
_FLOATS = _words(
    "figure figure* table table* wrapfigure wraptable sidewaysfigure sidewaystable SCfigure"
)
_SECTIONS = _words("part chapter section subsection subsubsection paragraph subparagraph title")
# Commands whose (first) arguments are no text: how many are dropped.
_SILENT = {
    **dict.fromkeys(_words(
        "label ref eqref pageref cite citep citet citealp citealt citeauthor citeyear cref Cref "
        "autoref nameref nocite bibliography bibliographystyle includegraphics vspace hspace "
        "usepackage documentclass thanks footnote footnotetext pagestyle thispagestyle input "
        "include setlength addtolength setcounter addtocounter hypersetup graphicspath index "
        "affiliation address email institute date keywords pacs subjclass color definecolor "
        "rule phantom hphantom vphantom markboth newtheorem theoremstyle ccsdesc orcid "
        "pagenumbering cline cmidrule addbibresource printbibliography tableofcontents "
        "author acmConference setcopyright acmDOI numberwithin"), 1),
    "setlength": 2, "addtolength": 2, "setcounter": 2, "addtocounter": 2, "markboth": 2,
    "definecolor": 3, "rule": 2, "newtheorem": 2, "textcolor": 1, "href": 1, "parbox": 1,
    "resizebox": 2, "scalebox": 1, "raisebox": 1, "fontsize": 2, "multicolumn": 2, "multirow": 2,
    "newcommand": 2, "renewcommand": 2, "providecommand": 2, "colorbox": 1, "foreignlanguage": 1,
    "selectlanguage": 1, "newenvironment": 3, "DeclareMathOperator": 2, "acmYear": 1,
}  # fmt: skip
_BREAKS = _words("par newline linebreak bigskip medskip smallskip newpage clearpage maketitle "
                    "pagebreak noindent appendix")  # fmt: skip
_SYMBOLS = {
    "ldots": "…", "dots": "…", "textellipsis": "…", "LaTeX": "LaTeX", "TeX": "TeX", "S": "§",
    "P": "¶", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "i": "ı", "j": "ȷ", "dag": "†", "ddag": "‡",
    "copyright": "©", "pounds": "£", "textendash": "–", "textemdash": "—", "textquoteleft": "‘",
    "textquoteright": "’", "textquotedblleft": "“", "textquotedblright": "”", "textbackslash": "\\",
    "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<", "quad": " ",
    "textgreater": ">", "textdegree": "°", "degree": "°", "texttimes": "×", "textmu": "µ",
    "qquad": " ", "space": " ", "enspace": " ", "thinspace": " ", "slash": "/",
}  # fmt: skip
_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307", '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323",
    "c": "\u0327", "k": "\u0328", "b": "\u0331",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z@]+\*?")
_OPTION = re.compile(r"\s*\[[^\]\n]{0,300}\]")
_PLAIN = re.compile(r"[^\\{}$~&`'\-]+")
_LIGATURES = re.compile(r"``|''|---|--|`|'|-")
_LIGATURE = {"``": "“", "''": "”", "---": "—", "--": "–"}
_ACCENTED = re.compile(r"\s*(?:\{\s*(\\?[A-Za-z])\s*\}|(\\?[A-Za-z]))")
_STRAY = re.compile(r"(?<=[\w$)”]) +([.,;])(?=\s|$)")  # where a citation was
_EDGES = re.compile(r"[ \t]*\n[ \t]*")
_BLANKS, _RUNS = re.compile(r"\n{3,}"), re.compile(r"[ \t]{2,}")
_GROUP = re.compile(r"\s*\{\s*([A-Za-z]{1,40}\*?)\s*\}")
_LABEL = re.compile(r"\\(?:label\s*\{[^{}]{0,200}\}|nonumber\b|notag\b)")
_UNNAMED = frozenset({"equation", "displaymath", "math", "dmath", "subequations"})
_LISTS = frozenset({"itemize", "enumerate", "description"})
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)


def plain_latex(text: str) -> str:
    """The text of LaTeX without its preamble; never raises."""
    return _Renderer(text).text()


class _Renderer:
    """One walk over the source; an argument is looked at where it stands, so none is read twice."""

    def __init__(self, source: str) -> None:
        self._source, self._at = source, 0
        self._out: list[str] = []
        self._closing = _matches(source)
        self._after: dict[int, str] = {}  # what the end of a group writes
        self._endless: set[str] = set()  # what is known not to come any more
        self._floats: list[tuple[str, int]] = []

    def text(self) -> str:
        source = self._source
        while self._at < len(source):
            if plain := _PLAIN.match(source, self._at):
                self._out.append(plain.group())
                self._at = plain.end()
                continue
            self._step(source[self._at])
        out = _EDGES.sub("\n", _RUNS.sub(" ", "".join(self._out)))
        return _BLANKS.sub("\n\n", _STRAY.sub(r"\1", out)).strip()

    def _step(self, char: str) -> None:
        if char == "\\":
            self._command()
        elif char == "$":
            self._dollar()
        elif char == "}":
            self._out.append(self._after.pop(self._at, ""))
            self._at += 1
        elif char in "~&":
            self._out.append(" ")
            self._at += 1
        elif found := _LIGATURES.match(self._source, self._at):
            self._out.append(_LIGATURE.get(found.group(), found.group()))
            self._at = found.end()
        else:
            self._at += 1  # an opening brace

    def _dollar(self) -> None:
        source, start = self._source, self._at
        mark = "$$" if source.startswith("$$", start) else "$"
        end = source.find(mark, start + len(mark), start + _MATH_SPAN)
        while end > 0 and source[end - 1] == "\\":
            end = source.find(mark, end + 1, start + _MATH_SPAN)
        if end < 0 or "\n\n" in source[start:end]:
            self._out.append(mark)
            self._at = start + len(mark)
            return
        self._at = end + len(mark)
        self._math(source[start + len(mark) : end], mark)

    def _math(self, formula: str, mark: str) -> None:
        formula = " ".join(_LABEL.sub("", formula).split())
        if not formula:
            return
        self._out.append(f"\n\n$$ {formula} $$\n\n" if mark == "$$" else f"${formula}$")

    def _command(self) -> None:
        source = self._source
        name = _NAME.match(source, self._at + 1)
        if not name:
            self._sign(source[self._at + 1 : self._at + 2])
            return
        word = name.group().rstrip("*")
        self._at = name.end()
        if word in ("begin", "end"):
            self._environment(word)
        elif word == "verb":
            self._verb()
        elif word in _SECTIONS:
            self._heading()
        elif word == "caption":
            self._caption()
        elif word == "item":
            self._option()
            self._out.append("\n- ")
        elif word in _SYMBOLS:
            self._out.append(_SYMBOLS[word])
            self._spaces()
        elif word in _ACCENTS and len(word) == 1:
            self._accent(word)
        elif word in _BREAKS:
            self._out.append("\n\n")
        elif word in _SILENT:
            self._silent(_SILENT[word])
        else:
            self._option()
            if not self._source.startswith("{", self._at):
                self._spaces()

    def _sign(self, sign: str) -> None:
        self._at += 1 + len(sign)
        if sign in ("[", "("):
            closing = "\\]" if sign == "[" else "\\)"
            formula = self._until(closing)
            if formula is not None:
                self._math(formula, "$$" if sign == "[" else "$")
        elif sign == "\\":
            self._option()
            self._out.append("\n")
        elif sign in _ACCENTS:
            self._accent(sign)
        elif sign in "%&$#_{}":
            self._out.append(sign)
        elif sign in " ,;:!/\n-@":
            self._out.append(" " if sign in " ,;:\n" else "")

    def _until(self, mark: str) -> str | None:
        """What comes before the mark, and moves behind it; None where it does not come."""
        end = -1 if mark in self._endless else self._source.find(mark, self._at)
        if end < 0:
            self._endless.add(mark)
            return None
        found = self._source[self._at : end]
        self._at = end + len(mark)
        return found

    def _environment(self, word: str) -> None:
        found = _GROUP.match(self._source, self._at)
        if not found:
            return
        self._at, name = found.end(), found.group(1)
        if word == "end":
            self._leave(name)
        elif name in _MATH:
            formula = self._until(f"\\end{{{name}}}")
            if formula is not None:
                kind = name.rstrip("*")
                inner = (
                    formula if kind in _UNNAMED else f"\\begin{{{name}}}{formula}\\end{{{name}}}"
                )
                self._math(inner, "$$")
        elif name in _VERBATIM:
            code = self._until(f"\\end{{{name}}}")
            self._out.append(f"\n\n{(code or '').strip()}\n\n")
        elif name in _DROPPED:
            self._until(f"\\end{{{name}}}")
        else:
            self._enter(name)

    def _enter(self, name: str) -> None:
        self._option()
        if name in _FLOATS:
            self._floats.append((name, len(self._out)))
        if name == "abstract":
            self._out.append("\n\nAbstract\n\n")
        elif name in ("minipage", "multicols", "adjustbox", "wrapfigure", "array", "list"):
            self._silent(1)
        self._out.append("\n" if name in _LISTS else "\n\n")

    def _leave(self, name: str) -> None:
        if self._floats and self._floats[-1][0] == name:
            _, start = self._floats.pop()
            # Of a float only the captions stay.
            kept = [part for part in self._out[start:] if isinstance(part, _Kept)]
            self._out[start:] = kept
        self._out.append("\n\n")

    def _heading(self) -> None:
        self._option()
        self._out.append("\n\n")
        if (end := self._group_end()) is not None:
            self._after[end] = "\n\n"

    def _caption(self) -> None:
        self._option()
        end = self._group_end()
        if end is None:
            return
        inner = self._source[self._at + 1 : end]
        self._at = end + 1
        text = "" if r"\caption" in inner else plain_latex(inner)
        self._out.append(_Kept(f"\n\n{text}\n\n"))

    def _silent(self, arguments: int) -> None:
        for _ in range(arguments):
            self._option()
            self._option()
            end = self._group_end()
            if end is None:
                return
            self._at = end + 1

    def _group_end(self) -> int | None:
        place = self._at
        while self._source[place : place + 1] in (" ", "\n", "\t"):
            place += 1
        end = self._closing.get(place)
        if end is not None:
            self._at = place
        return end

    def _option(self) -> None:
        if found := _OPTION.match(self._source, self._at):
            self._at = found.end()

    def _spaces(self) -> None:
        while self._source[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _accent(self, mark: str) -> None:
        found = _ACCENTED.match(self._source, self._at)
        if not found:
            return
        letter = (found.group(1) or found.group(2)).lstrip("\\")
        self._at = found.end()
        self._out.append(unicodedata.normalize("NFC", letter + _ACCENTS[mark]))

    def _verb(self) -> None:
        mark = self._source[self._at : self._at + 1]
        end = self._source.find(mark, self._at + 1, self._at + 500) if mark.strip() else -1
        if end > 0:
            self._out.append(self._source[self._at + 1 : end])
            self._at = end + 1


class _Kept(str):
    """Text that stays when the float around it goes."""

    __slots__ = ()


def _matches(source: str) -> dict[int, int]:
    """The place of each opening brace with that of its closing one."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for found in _BRACES.finditer(source):
        if found.group() == "{":
            opened.append(found.start())
        elif found.group() == "}" and opened:
            pairs[opened.pop()] = found.start()
    return pairs
