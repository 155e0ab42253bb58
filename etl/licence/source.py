"""The licence of a source file: its SPDX tag, what REUSE says of it, the LICENSE nearest to it.

Sources: spdx.dev/learn/handling-license-info (tags), reuse.software/spec-3.3 (the others).
Licence texts are compared with those of choosealicense.com that the package `identify` carries.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etl.licence.evidence import Evidence, Licence, resolve, shortened
from etl.licence.spdx import normalised
from schemas.identity import UNKNOWN_LICENCE

_HEADER_BYTES, _TEXT_BYTES = 8_192, 200_000
_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]{1,200})")
_LICENCE_FILE = re.compile(
    r"(?:un)?licen[sc]e(?:[._-][\w.-]{1,40})?|copying(?:[._-][\w.-]{1,40})?", re.IGNORECASE
)
_NOT_TEXTS = (".py", ".js", ".go", ".c", ".h", ".rs", ".java", ".html", ".json", ".yaml", ".yml")
_COPYRIGHT = re.compile(r"^\W*(?:copyright\b|\(c\)|©|all rights reserved).*$", re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")
_SHINGLE, _SIMILAR, _FOREIGN = 4, 0.9, 10
_WORDS_MOST = 20_000
_ANNOTATIONS_MOST = 1_000


def spdx_tag(head: str, path: str) -> Licence | None:
    """The tags in the first lines of a file; several bind together."""
    stated = [one.strip(" \t-") for one in _TAG.findall(head[:_HEADER_BYTES])]
    found = dict.fromkeys(value for value in stated if normalised(value) != UNKNOWN_LICENCE)
    return _together([(normalised(value), value) for value in found], "spdx_tag", path)


def is_licence_file(name: str) -> bool:
    return bool(_LICENCE_FILE.fullmatch(name)) and not name.lower().endswith(_NOT_TEXTS)


def licence_of_text(text: str) -> str:
    """The SPDX id whose text this is, but for names, years and layout; `unknown` otherwise.

    The measure is Dice's coefficient of the texts' runs of four words; 0.9 is asked for, and that
    at most 10 runs, or 5 %, are foreign: a sentence more can turn a licence round.
    """
    runs = _runs(text[:_TEXT_BYTES])
    best, name = 0.0, UNKNOWN_LICENCE
    for spdx, other in _texts():
        if runs and 2 * min(len(runs), len(other)) >= _SIMILAR * (len(runs) + len(other)):
            shared = len(runs & other)
            alike = 2 * shared / (len(runs) + len(other))
            if alike > best and len(runs) - shared <= max(_FOREIGN, len(runs) // 20):
                best, name = alike, spdx
    return normalised(name) if best >= _SIMILAR else UNKNOWN_LICENCE


@functools.cache
def _texts() -> tuple[tuple[str, frozenset[int]], ...]:
    from identify.vendor.licenses import LICENSES

    return tuple((spdx, _runs(text)) for spdx, text in LICENSES)


def _runs(text: str) -> frozenset[int]:
    words = _WORD.findall(_COPYRIGHT.sub("", text.lower()))[:_WORDS_MOST]
    return frozenset(
        hash(tuple(words[start : start + _SHINGLE])) for start in range(len(words) - _SHINGLE + 1)
    )


@dataclass(frozen=True, slots=True)
class _Annotation:
    folder: str
    patterns: tuple[str, ...]
    licence: str
    override: bool
    place: str


@dataclass(slots=True)
class SourceLicences:
    """What the files of one repository say of its licences; take them all, then ask.

    `glob` matches a REUSE pattern with a path.
    """

    _folders: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _beside: dict[str, Licence] = field(default_factory=dict)
    _annotations: list[_Annotation] = field(default_factory=list)

    def take(self, path: str, text: str) -> None:
        """Notes a file that speaks of others: LICENSE, REUSE.toml, NAME.license."""
        folder, _, name = path.rpartition("/")
        if name == "REUSE.toml":
            self._take_reuse(folder, path, text)
        elif name.endswith(".license"):
            if tagged := spdx_tag(text, path):
                pieces = [Evidence("reuse", p.licence, p.text, p.place) for p in tagged.found]
                self._beside[path.removesuffix(".license")] = _resolved(tagged.spdx, pieces)
        elif is_licence_file(name):
            self._folders.setdefault(folder, []).append((path, licence_of_text(text)))

    def of(self, path: str, head: str) -> Licence:
        """The licence of one file, with the words and the file that say so."""
        reuse = self._annotated(path)
        if reuse and reuse[0].override:
            return self._reuse(reuse)
        if tagged := spdx_tag(head, path):
            return tagged
        if beside := self._beside.get(path):
            return beside
        if reuse:
            return self._reuse(reuse)
        folder = path.rpartition("/")[0]
        while True:
            if files := self._folders.get(folder):
                return _of_files(files)
            if not folder:
                return Licence(UNKNOWN_LICENCE)
            folder = folder.rpartition("/")[0]

    def _annotated(self, path: str) -> Sequence[_Annotation]:
        """The last annotation of the nearest REUSE.toml that names the path."""
        from etl.licence.globs import matches

        found = [
            one
            for one in self._annotations
            if (not one.folder or path.startswith(one.folder + "/"))
            and any(matches(p, path.removeprefix(one.folder).lstrip("/")) for p in one.patterns)
        ]
        return sorted(found, key=lambda one: (one.override, len(one.folder)))[-1:]

    @staticmethod
    def _reuse(found: Sequence[_Annotation]) -> Licence:
        one = found[-1]
        return _resolved(
            normalised(one.licence),
            [Evidence("reuse", normalised(one.licence), one.licence, one.place)],
        )

    def _take_reuse(self, folder: str, path: str, text: str) -> None:
        try:
            stated = tomllib.loads(text[:_TEXT_BYTES]).get("annotations")
        except (tomllib.TOMLDecodeError, RecursionError):
            return
        for one in stated if isinstance(stated, list) else []:
            if not isinstance(one, Mapping) or len(self._annotations) >= _ANNOTATIONS_MOST:
                continue
            licences = _strings(one.get("SPDX-License-Identifier"))
            patterns = _strings(one.get("path"))
            if licences and patterns:
                override = one.get("precedence") == "override"
                self._annotations.append(
                    _Annotation(folder, tuple(patterns), _all_of(licences), override, path)
                )


def _strings(value: object) -> list[str]:
    """A string, or a list of strings, as a list; empty for anything else."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)][:_ANNOTATIONS_MOST]


def _all_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else " AND ".join(f"({name})" for name in names)


def _of_files(files: list[tuple[str, str]]) -> Licence:
    """All licence texts of one folder bind; of GPL beside LGPL the LGPL, whose terms include it."""
    known = [(spdx, path) for path, spdx in sorted(files) if spdx != UNKNOWN_LICENCE]
    if not known:
        return Licence(UNKNOWN_LICENCE)
    if any(spdx.startswith("LGPL-") for spdx, _ in known):
        known = [(spdx, path) for spdx, path in known if not spdx.startswith("GPL-")]
    pieces = [Evidence("licence_file", spdx, f"text of {spdx}", path) for spdx, path in known]
    return _resolved(" AND ".join(dict.fromkeys(spdx for spdx, _ in known)), pieces)


def _together(stated: list[tuple[str, str]], kind: str, path: str) -> Licence | None:
    if not stated:
        return None
    pieces = [Evidence(kind, spdx, text, path) for spdx, text in stated]
    names = list(dict.fromkeys(spdx for spdx, _ in stated))
    return _resolved(normalised(_all_of(names)), pieces)


def _resolved(spdx: str, pieces: list[Evidence]) -> Licence:
    """`resolve`, whose choice of one piece gives way to what the pieces amount to together."""
    found = resolve(pieces)
    said = "; ".join(dict.fromkeys(shortened(f"{p.kind}: {p.text} ({p.place})") for p in pieces))
    return Licence(spdx, said[:500], found.found)
