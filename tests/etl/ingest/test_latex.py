"""Papers put together from their files: inputs inside the archive, macros, titles, bounds."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.latex import main_file, read_paper

_MAIN = r"""\documentclass[12pt]{article}
\newcommand{\R}{\mathbb{R}}
\newcommand\net{Made-Up Net}
\def\eg{e.g.}
\newcommand{\two}[1]{<#1>}
\title{On \net{} in $\R^2$}
\author{Ann \"Ohm\thanks{Grant} \and Bob B{\"o}b}
\begin{document}
\maketitle
We use \net, \eg in $x \in \R$. % a comment
\input{parts/one}
\include{missing}
\input{../../../etc/passwd}
\input{/etc/passwd}
\end{document}
after the end
"""
_PARTS = {"main.tex": _MAIN, "parts/one.tex": r"\section{One}Part one. \input{parts/one}",
          "notes.tex": r"No \begin here."}  # fmt: skip


def test_a_paper_of_several_files() -> None:
    paper = read_paper(_PARTS, 100_000)
    assert paper is not None
    assert paper.text == ("We use Made-Up Net, e.g. in $x \\in \\mathbb{R}$.\n\nOne\n\nPart one.")
    assert paper.title == "On Made-Up Net in $\\mathbb{R}^2$"
    assert paper.authors == "Ann Öhm; Bob Böb"
    assert paper.main == "main.tex"


def test_inputs_are_found_beside_the_main_file_and_only_there() -> None:
    files = {
        "v1/ms.tex": r"\documentclass{a}\begin{document}A \input{b} \input{../secret}"
        r"\end{document}",
        "v1/b.tex": "B",
        "secret.tex": "S",
    }
    paper = read_paper(files, 1000)
    assert paper is not None
    assert paper.text == "A B S"  # all of them lie in the archive
    assert read_paper({"a.tex": "no document"}, 1000) is None


def test_the_main_file() -> None:
    whole = r"\documentclass{a}\begin{document}x\end{document}"
    assert main_file({"b.tex": whole, "sub/main.tex": whole, "main.tex": whole}) == "main.tex"
    assert main_file({"a.tex": r"\documentclass{a}", "z.tex": whole}) == "z.tex"
    assert main_file({"a.tex": r"% \documentclass{a}", "z.tex": whole}) == "z.tex"
    assert main_file({"old.tex": r"\documentstyle{a}"}) == "old.tex"
    assert main_file({}) is None


def test_macros_that_grow_are_bounded() -> None:
    names = "abcdefghij"
    laughs = "".join(
        rf"\newcommand{{\{name}x}}{{{(chr(92) + after + 'x ') * 60}}}"
        for name, after in zip(names, names[1:] + "z", strict=True)
    )
    source = rf"\documentclass{{a}}{laughs}\newcommand{{\me}}{{\me\me}}\begin{{document}}T \me \ax"
    started = time.process_time()
    paper = read_paper({"a.tex": source}, 200_000)
    assert paper is not None
    assert len(paper.text) <= 200_000
    assert time.process_time() - started < 5


def test_inputs_that_grow_are_bounded() -> None:
    files = {f"f{n}.tex": rf"\input{{f{n + 1}}}" * 30 + "x" * 1000 for n in range(15)}
    files["m.tex"] = r"\documentclass{a}\begin{document}\input{f0}\input{m}\end{document}"
    paper = read_paper(files, 50_000)
    assert paper is not None
    assert len(paper.text) <= 50_000


@given(st.lists(st.sampled_from(
    [r"\input{a}", r"\input{b}", r"\newcommand{\x}{", r"\def\x{", "}", "{", r"\x", r"\title{",
     r"\author{", r"\and", "%", "\n", r"\begin{document}", r"\end{document}", "\\"]
) | st.text(max_size=5), max_size=30))  # fmt: skip
def test_any_source_is_a_paper(pieces: list[str]) -> None:
    source = r"\documentclass{a}" + "".join(pieces)
    paper = read_paper({"a.tex": source, "b.tex": "".join(reversed(pieces))}, 10_000)
    assert paper is not None
    assert len(paper.title) <= 500
