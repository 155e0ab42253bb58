"""Source code: every file of a git repository (a folder or a bundle) as a record or a rejection."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.ingest import codekind
from etl.ingest.codekind import Attributes, Verdict, attribute_rules
from etl.ingest.config import IngestConfig
from etl.ingest.gitobjects import Commit, Entry, RepositoryError
from etl.ingest.rows import Place, Row, failed, kept, rejected
from etl.licence.source import SourceLicences, is_licence_file
from etl.storage.files import S3File

SYMLINK, SUBMODULE = "code.symlink", "code.submodule"
TOO_LARGE, BINARY, NOT_UTF8 = "code.too_large", "code.binary", "code.not_utf8"
EMPTY = "code.empty"
_LINK, _SUBMODULE = "120000", "160000"
_BINARY_HEAD = 8_192
_CONTEXT_FILES, _CONTEXT_BYTES = 20_000, 1 << 18
_PATH_LENGTH = 4_096


def read_repository(path: Path | S3File, config: IngestConfig) -> Iterator[Row]:
    """A row a file of the commit that is checked out (of a bundle: its HEAD), in order of paths.

    Nothing is lost: links, submodules and files that are vendored, generated, minified, binary, too
    large or not UTF-8 are rejected, each by its rule. A repository that cannot be read is
    quarantined, as is the rest of one with more than `code_max_files` files.
    """
    place = Place(config, path)
    try:
        limits = config.formats
        with Commit(path, seconds=limits.git_seconds, most_files=limits.code_max_files) as commit:
            yield from _Files(commit, place).rows()
    except RepositoryError as error:
        yield failed(place, error.error_class, str(error))


class _Files:
    def __init__(self, commit: Commit, place: Place) -> None:
        self._commit, self._place = commit, place
        self._limits = place.config.formats
        self._licences = SourceLicences()
        self._name = place.path.absolute().name.removesuffix(".bundle").removesuffix(".git")
        self._attributes = self._context()

    def rows(self) -> Iterator[Row]:
        for number, entry in enumerate(self._commit.entries()):
            if number >= self._limits.code_max_files:
                message = f"more than code_max_files={self._limits.code_max_files} files"
                yield failed(self._place, "too_many_files", message)
                return
            yield self._row(entry)

    def _context(self) -> Attributes:
        """Reads what speaks of other files: licences, REUSE, attributes."""
        rules: list[tuple[str, str, str, bool]] = []
        found = 0
        for entry in self._commit.entries():
            folder, _, name = entry.path.rpartition("/")
            attributes = name == ".gitattributes"
            about = attributes or name == "REUSE.toml" or name.endswith(".license")
            if not (about or is_licence_file(name)) or entry.mode in (_LINK, _SUBMODULE):
                continue
            found += 1
            read = self._commit.read(entry, _CONTEXT_BYTES) if found <= _CONTEXT_FILES else None
            if read is None:
                continue
            text = read[1].decode("utf-8", "replace")
            if attributes:
                rules += attribute_rules(folder, text)
            else:
                self._licences.take(entry.path, text)
        rules.sort(key=lambda rule: rule[0].count("/") + bool(rule[0]))  # the nearest speaks last
        return Attributes(tuple(rules[-2_000:]))

    def _row(self, entry: Entry) -> Row:
        path = entry.path
        place = Place(self._place.config, self._place.path, inner=path[:_PATH_LENGTH])
        about: dict[str, Any] = {
            "path": path[:_PATH_LENGTH],
            "repository": self._name,
            "commit": self._commit.name,
        }
        if entry.mode == _LINK:
            return rejected(place, SYMLINK, 1, 0, **about)
        if entry.mode == _SUBMODULE:
            return rejected(place, SUBMODULE, 1, 0, **about)
        stated = self._attributes.of(path)
        if verdict := self._by_path(path, stated):
            return _rejected(place, verdict, about)
        read = self._commit.read(entry, self._limits.code_max_bytes + 1)
        if read is None:
            return failed(place, "missing_object", f"{entry.name} is not in the repository")
        size, data = read
        about["size"] = size
        verdict = self._by_bytes(size, data)
        if verdict:
            return _rejected(place, verdict, about)
        text = data.removeprefix(codecs.BOM_UTF8).decode().replace("\r\n", "\n")
        language = codekind.language_of(path, text)
        about["programming_language"] = language
        verdict = codekind.by_text(
            text, language, self._limits.code_line_average, self._limits.code_line_longest
        )
        if verdict and stated.get(verdict.rule) is not False:
            return _rejected(place, verdict, about)
        licence = self._licences.of(path, text[:_BINARY_HEAD])
        return kept(place, text, licence=licence, title=path, **about)

    @staticmethod
    def _by_path(path: str, stated: dict[str, bool]) -> Verdict | None:
        for rule, applies in stated.items():
            if applies:
                return Verdict(rule, 1, 0, ".gitattributes")
        verdict = codekind.by_path(path)
        return verdict if verdict and stated.get(verdict.rule) is not False else None

    def _by_bytes(self, size: int, data: bytes) -> Verdict | None:
        if size > self._limits.code_max_bytes:
            return Verdict(TOO_LARGE, size, self._limits.code_max_bytes)
        if nuls := data[:_BINARY_HEAD].count(0):
            return Verdict(BINARY, nuls, 0)
        try:
            data.decode()
        except UnicodeDecodeError:
            bad = data.decode("utf-8", "replace").count("\ufffd")
            return Verdict(NOT_UTF8, bad, 0)
        return None if data.strip() else Verdict(EMPTY, 0, 1)


def _rejected(place: Place, verdict: Verdict, about: dict[str, Any]) -> Row:
    return rejected(
        place, verdict.rule, verdict.score, verdict.threshold, marker=verdict.marker, **about
    )
