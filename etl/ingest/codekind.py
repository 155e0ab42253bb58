"""What a source file is: its language, and whether people wrote it for this repository.

Sources: the extensions, paths and markers are facts that github-linguist and the languages' tools
document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from etl.licence.globs import matches

VENDORED, GENERATED, MINIFIED = "code.vendored", "code.generated", "code.minified"
LONG_LINES = "code.long_lines"

_EXTENSIONS = {
    "Ada": "adb ads", "Assembly": "asm s", "AWK": "awk", "Batchfile": "bat cmd", "C": "c",
    "C#": "cs csx", "C++": "cc cpp cxx c++ hh hpp hxx ipp tpp", "Clojure": "clj cljs cljc edn",
    "CMake": "cmake", "COBOL": "cob cbl", "CoffeeScript": "coffee", "Common Lisp": "lisp cl",
    "CSS": "css", "CSV": "csv tsv", "CUDA": "cu cuh", "Cython": "pyx pxd", "D": "d", "Dart": "dart",
    "Elixir": "ex exs", "Elm": "elm", "Emacs Lisp": "el", "Erlang": "erl hrl",
    "F#": "fs fsi fsx", "Fortran": "f f77 f90 f95 f03 f08 for", "GLSL": "glsl vert frag",
    "Go": "go", "GraphQL": "graphql gql", "Groovy": "groovy gradle", "Haskell": "hs lhs",
    "HCL": "tf hcl", "HTML": "html htm xhtml", "INI": "ini cfg conf", "Java": "java",
    "JavaScript": "js mjs cjs jsx", "JSON": "json jsonc json5", "Julia": "jl",
    "Jupyter Notebook": "ipynb", "Kotlin": "kt kts", "Lean": "lean", "Less": "less", "Lua": "lua",
    "Makefile": "mk mak", "Markdown": "md markdown mdx", "MATLAB": "matlab", "Nim": "nim",
    "Nix": "nix", "Objective-C": "mm", "OCaml": "ml mli", "Pascal": "pas pp", "Perl": "pl pm t",
    "PHP": "php php5 phtml", "PowerShell": "ps1 psm1", "Prolog": "pro", "Protocol Buffer": "proto",
    "Python": "py pyi pyw", "R": "r rmd", "Racket": "rkt", "reStructuredText": "rst",
    "Ruby": "rb rake gemspec", "Rust": "rs", "Sass": "sass", "Scala": "scala sc",
    "Scheme": "scm ss", "SCSS": "scss", "Shell": "sh bash zsh ksh fish", "Smalltalk": "st",
    "Solidity": "sol", "SQL": "sql", "Svelte": "svelte", "SVG": "svg", "Swift": "swift",
    "SystemVerilog": "sv svh", "Tcl": "tcl", "TeX": "tex sty cls bib", "Text": "txt",
    "TOML": "toml", "TypeScript": "tsx mts cts", "VHDL": "vhd vhdl", "Vim Script": "vim",
    "Visual Basic": "vb vbs", "Vue": "vue", "WebAssembly": "wat wast", "XML": "xml xsd xsl xslt",
    "YAML": "yaml yml", "Zig": "zig",
}  # fmt: skip
_BY_EXTENSION = {e: name for name, ends in _EXTENSIONS.items() for e in ends.split()}
_BY_NAME = {
    "makefile": "Makefile", "gnumakefile": "Makefile", "dockerfile": "Dockerfile",
    "cmakelists.txt": "CMake", "rakefile": "Ruby", "gemfile": "Ruby", "vagrantfile": "Ruby",
    "jenkinsfile": "Groovy", "build": "Starlark", "build.bazel": "Starlark",
    "workspace": "Starlark", ".bashrc": "Shell", ".zshrc": "Shell", ".profile": "Shell",
    ".vimrc": "Vim Script", ".emacs": "Emacs Lisp", "license": "Text", "copying": "Text",
    "readme": "Text", ".gitignore": "Ignore List", ".editorconfig": "INI",
}  # fmt: skip
_SHEBANGS = {
    "python": "Python", "bash": "Shell", "sh": "Shell", "zsh": "Shell", "dash": "Shell",
    "ksh": "Shell", "fish": "Shell", "node": "JavaScript", "ruby": "Ruby", "perl": "Perl",
    "php": "PHP", "lua": "Lua", "rscript": "R", "awk": "AWK", "tclsh": "Tcl", "make": "Makefile",
}  # fmt: skip
_SHEBANG = re.compile(r"#!\s*(?:\S{0,100}/)?(?:env\s+(?:-\S+\s+)*)?([A-Za-z]+)[\d.]*\b")
# Extensions that several languages have: the first whose pattern is there, else the last.
_SHARED: dict[str, tuple[tuple[str, re.Pattern[str] | None], ...]] = {
    "h": (
        ("Objective-C", re.compile(r"^\s*(?:@interface|@protocol|#import)\b", re.MULTILINE)),
        ("C++", re.compile(r"^\s*(?:template\s*<|class\s+\w+[^;]*$|namespace\s|using\s+\w)|\bstd::|"
                           r"^\s*(?:public|private|protected):", re.MULTILINE)),
        ("C", None),
    ),
    "m": (
        ("Objective-C", re.compile(r"^\s*(?:@interface|@implementation|@import|#import|#include)\b",
                                   re.MULTILINE)),
        ("MATLAB", None),
    ),
    "v": (
        ("Coq", re.compile(r"^\s*(?:Require|Theorem|Lemma|Definition|Inductive|Proof)\b",
                           re.MULTILINE)),
        ("Verilog", None),
    ),
    "ts": (("XML", re.compile(r"\A\s*<(?:\?xml|!DOCTYPE TS)")), ("TypeScript", None)),
    "pl": (("Prolog", re.compile(r"^\s*:-|^\w+\(.*\)\s*:-", re.MULTILINE)), ("Perl", None)),
    "inc": (("PHP", re.compile(r"<\?php")), ("C++", re.compile(r"^\s*#\s*(?:include|define)",
                                                                 re.MULTILINE)), ("Text", None)),
}  # fmt: skip
_PROSE = frozenset({"Markdown", "reStructuredText", "TeX", "Text", "HTML", "CSV", "SVG",
                    "Jupyter Notebook"})  # fmt: skip
_WEB = frozenset({"JavaScript", "TypeScript", "CSS"})
_HEAD = 65_536

_VENDORED_PATH = re.compile(
    r"(?:^|/)(?:vendors?|node_modules|bower_components|jspm_packages|third[_-]?party|3rd[_-]?party|"
    r"externals?|godeps|_vendor|site-packages|pods|carthage|\.yarn|\.venv|venv)/|"
    r"(?:^|/)(?:jquery(?:-ui)?|bootstrap|angular|react|vue|d3|lodash|underscore|moment)"
    r"(?:[.-]\d[\w.-]{0,30})?(?:\.slim)?(?:\.min)?\.(?:js|css)$",
    re.IGNORECASE,
)
_GENERATED_NAME = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|"
    r"cargo\.lock|poetry\.lock|uv\.lock|pdm\.lock|pipfile\.lock|composer\.lock|gemfile\.lock|"
    r"mix\.lock|pubspec\.lock|podfile\.lock|flake\.lock|go\.sum|gradlew(?:\.bat)?)$|"
    r"\.(?:pb\.go|pb\.gw\.go|pb\.cc|pb\.h|pb\.swift|pbjson|designer\.cs|g\.cs|g\.dart|"
    r"freezed\.dart|xcworkspacedata|js\.map|css\.map)$|_pb2(?:_grpc)?\.pyi?$|_pb\.(?:js|rb)$",
    re.IGNORECASE,
)
_MARKER_LINES, _MARKER_LENGTH = 20, 300
_MARKER = re.compile(
    r"@generated\b|\bcode generated\b|\bdo not (?:edit|modify)\b|\bauto-?matically generated\b|"
    r"\bauto-?generated\b|\bgenerated by (?:the )?(?:protocol buffer compiler|swig|cython|bison|"
    r"flex|yacc|antlr|thrift|openapi|autoconf|cmake|protoc)\b|"
    r"\bthis file (?:was|is) generated\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|<!--|--|;|%|\"\"\"|'|\(\*|\{-|@generated)")
_MINIFIED_NAME = re.compile(r"[.-]min\.(?:m?js|css)$", re.IGNORECASE)
_MINIFIED_LINE, _MINIFIED_LENGTH = 110, 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a file is left out: the rule, what it measured, what that was held against, a word."""

    rule: str
    score: float
    threshold: float
    marker: str = ""


def language_of(path: str, text: str) -> str:
    """The programming or markup language, or an empty string where nothing tells it."""
    name = path.rpartition("/")[2].lower()
    if named := _BY_NAME.get(name):
        return named
    _, dot, extension = name.rpartition(".")
    head = text[:_HEAD]
    if dot and extension in _SHARED:
        for language, pattern in _SHARED[extension]:
            if pattern is None or pattern.search(head):
                return language
    if dot and (known := _BY_EXTENSION.get(extension)):
        return known
    shebang = _SHEBANG.match(head)
    return _SHEBANGS.get(shebang.group(1).lower(), "") if shebang else ""


def by_path(path: str) -> Verdict | None:
    """What the path alone says: vendored, generated or minified."""
    if found := _VENDORED_PATH.search(path):
        return Verdict(VENDORED, 1, 0, found.group().strip("/"))
    if found := _GENERATED_NAME.search(path):
        return Verdict(GENERATED, 1, 0, found.group().strip("/"))
    if found := _MINIFIED_NAME.search(path):
        return Verdict(MINIFIED, 1, 0, found.group())
    return None


def by_text(text: str, language: str, line_average: int, line_longest: int) -> Verdict | None:
    """What the text says: marked as generated, minified, or lines that nobody writes."""
    lines = text.split("\n")
    for line in lines[:_MARKER_LINES]:
        shown = line[:_MARKER_LENGTH]
        if _COMMENT.match(shown) and (found := _MARKER.search(shown)):
            return Verdict(GENERATED, 1, 0, found.group())
    longest, average = max(map(len, lines)), len(text) / len(lines)
    if language in _WEB and average > _MINIFIED_LINE and len(text) > _MINIFIED_LENGTH:
        return Verdict(MINIFIED, average, _MINIFIED_LINE)
    if longest > line_longest:
        return Verdict(LONG_LINES, longest, line_longest)
    if language not in _PROSE and average > line_average:
        return Verdict(LONG_LINES, average, line_average)
    return None


@dataclass(frozen=True, slots=True)
class Attributes:
    """`linguist-generated` and `linguist-vendored` of a repository's .gitattributes, in order."""

    rules: tuple[tuple[str, str, str, bool], ...] = ()  # folder, pattern, rule, set or unset

    def of(self, path: str) -> dict[str, bool]:
        """For each rule that the attributes speak of: whether it applies; the last word counts."""
        found: dict[str, bool] = {}
        for folder, pattern, rule, value in self.rules:
            inside = path.removeprefix(folder + "/") if folder else path
            if folder and inside == path:
                continue
            target = inside if "/" in pattern.rstrip("/") else inside.rpartition("/")[2]
            if matches(pattern.lstrip("/"), target):
                found[rule] = value
        return found


_LINGUIST = {"linguist-generated": GENERATED, "linguist-vendored": VENDORED}
_ATTRIBUTES_MOST = 500


def attribute_rules(folder: str, text: str) -> list[tuple[str, str, str, bool]]:
    """The rules of one .gitattributes; macros and quoted patterns are passed over."""
    rules: list[tuple[str, str, str, bool]] = []
    for line in text.split("\n")[: 20 * _ATTRIBUTES_MOST]:
        pattern, *words = line.split()[:20] or [""]
        if not pattern or pattern[0] in '#["!':
            continue
        for word in words:
            name, _, value = word.lstrip("-!").partition("=")
            if rule := _LINGUIST.get(name):
                on = word[0] not in "-!" and value.lower() not in ("false", "0", "no")
                rules.append((folder, pattern, rule, on))
    return rules[:_ATTRIBUTES_MOST]
