"""LaTeX into text: words, titles and formulas stay, in linear time, whatever the source."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ingest.latexrender import plain_latex


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\textbf{bold} and \emph{it {in}}", "bold and it in"),
        (r"\section*{A}Text\subsection{B}More", "A\n\nText\n\nB\n\nMore"),
        (r"see~\cite{a,b}, and \citep[p.~3]{c}.", "see, and."),
        (r"100\% of \$5 \& \#1 a\_b", "100% of $5 & #1 a_b"),
        (r"``quoted'' -- it --- is", "“quoted” – it — is"),
        (r"\'e \`a \^{o} \~n \c{c} \v{s} \ss{} \o", "é à ô ñ ç š ß ø"),
        (r"a $x_1^2$ b \(y\) c", "a $x_1^2$ b $y$ c"),
        (r"\[ a = b \]", "$$ a = b $$"),
        ("\\begin{equation}\\label{e}\na = b\n\\end{equation}", "$$ a = b $$"),
        (r"\begin{align}a&=b\nonumber\end{align}", r"$$ \begin{align}a&=b\end{align} $$"),
        (r"\begin{itemize}\item one\item[x] two\end{itemize}", "- one\n- two"),
        (r"\begin{abstract}Sum.\end{abstract}", "Abstract\n\nSum."),
        (r"\begin{theorem}[Name]It holds.\end{theorem}", "It holds."),
        (r"\begin{figure}[t]\centering in\includegraphics[w=1]{f}\caption{A \emph{cap}.}"
         r"\end{figure}", "A cap."),
        (r"\begin{tabular}{ll}1&2\end{tabular}after", "after"),
        (r"\begin{thebibliography}{9}\bibitem{a}A.\end{thebibliography}", ""),
        (r"\href{http://x}{label} \url{http://y}", "label http://y"),
        (r"text\footnote{a note {deep}} goes on", "text goes on"),
        (r"\textcolor{red}{word} \vspace{1cm}end", "word end"),
        ("\\begin{verbatim}\na_b {\n\\end{verbatim}", "a_b {"),
        (r"\verb|x_y{| z", "x_y{ z"),
        (r"\unknown{kept} \also[opt]{this}", "kept this"),
        ("one $ sign\n\ntwo", "one $ sign\n\ntwo"),
        (r"line\\ break", "line\nbreak"),
        (r"it costs \$3 and $x$", "it costs $3 and $x$"),
    ],
)  # fmt: skip
def test_what_stays(source: str, text: str) -> None:
    assert plain_latex(source) == text


_HOSTILE = {
    "environments": r"\begin{equation}",
    "floats": r"\begin{figure}",
    "verbatim": r"\begin{verbatim}",
    "braces": "{",
    "headings": r"\section{",
    "captions": r"\caption{",
    "dollars": "$ ",
    "formulas": r"\[",
    "options": r"\x[",
    "backslashes": "\\",
    "labels": r"\label{",
    "spaces": "\\section" + " " * 50,
    "items": r"\item[",
    "accents": r"\'{",
    "notes": r"\footnote{a ",
}


@pytest.mark.parametrize("kind", _HOSTILE)
def test_hostile_source_costs_linear_time(kind: str) -> None:
    piece = _HOSTILE[kind]
    started = time.process_time()
    plain_latex(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 4


def test_nested_captions_and_floats() -> None:
    deep = r"\caption{a " * 3000 + "}" * 3000
    floats = r"\begin{figure}\caption{c}" * 3000 + r"\end{figure}" * 3000
    started = time.process_time()
    plain_latex(deep)
    assert plain_latex(floats).count("c") == 3000
    assert time.process_time() - started < 4


_PIECES = st.sampled_from(
    ["\\", "{", "}", "$", "$$", r"\[", r"\]", r"\begin{equation}", r"\end{equation}", r"\caption{",
     r"\begin{figure}", r"\end{figure}", r"\section{", r"\item", r"\'", r"\verb|", "|", "[", "]",
     "&", "~", "``", "--", r"\begin{verbatim}", r"\end{verbatim}", "\n", " ", "word"]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=4), max_size=40))
def test_any_source_gives_text(pieces: list[str]) -> None:
    found = plain_latex("".join(pieces))
    assert found == found.strip()


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=20))
def test_plain_words_come_back(words: list[str]) -> None:
    assert plain_latex(" ".join(words)) == " ".join(words)
