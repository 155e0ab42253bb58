"""Which files of a data set are its data: a folder as the Hugging Face Hub lays it out.

The card lists configurations with globs (huggingface.co/docs/hub/datasets-manual-configuration).
Without them every data file counts, and a configuration is a folder's name, a split a part of a
path's names (datasets-file-names-and-splits).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from etl.ingest.card import Card
from schemas.errors import InputError

DATA, UNLISTED, NOT_DATA = "data", "unlisted", "not_data"
_NO_DATA = frozenset(
    {"readme", "license", "licence", "notice", "copying", "dataset_infos", "dataset_info",
     "dataset_dict", "state", "citation", "changelog", "contributing", "checksums"}
)  # fmt: skip
_NO_DATA_SUFFIXES = (".md", ".py", ".cff", ".bib", ".ipynb", ".sha256", ".md5", ".gitattributes")
_MOST_GLOBS, _MOST_LENGTH = 20_000, 500
_SHOWN = 12
_SPLITS = {"validation": ("validation", "valid", "val", "dev"), "train": ("train", "training"),
           "test": ("test", "testing", "eval", "evaluation")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a folder to read: the globs of the chosen configuration and split (None: the card
    lists none), and the names chosen where there are no globs."""

    globs: tuple[str, ...] | None = None
    config: str = ""
    split: str = ""

    def kind(self, name: str) -> str:
        """`data`, `unlisted` or `not_data` for a file's path below the folder."""
        parts = name.split("/")
        if is_no_data(parts[-1]):
            return NOT_DATA
        if self.globs is not None:
            return DATA if any(glob_matches(glob, parts) for glob in self.globs) else UNLISTED
        if self.config and self.config not in parts[:-1]:
            return UNLISTED
        return DATA if not self.split or _names_split(self.split, parts) else UNLISTED


def is_no_data(name: str) -> bool:
    lower = name.lower()
    return lower.split(".")[0] in _NO_DATA or lower.endswith(_NO_DATA_SUFFIXES)


def _names_split(split: str, parts: list[str]) -> bool:
    words = _SPLITS.get(split, (split,))
    return any(
        re.search(rf"(?:^|[._\- ]){re.escape(word)}(?:[._\- ]|$)", part.lower())
        for word in words
        for part in parts
    )


def glob_matches(glob: str, parts: list[str]) -> bool:
    """Whether the glob stands for the path: `*`, `?`, `[...]` within a name, `**` for any folders.

    Each pattern sees each name once: no glob, however hostile, takes long.
    """
    reached = {0}
    for pattern in glob.removeprefix("./").split("/"):
        if pattern == "**":
            reached = set(range(min(reached), len(parts) + 1)) if reached else set()
        else:
            reached = {
                at + 1 for at in reached if at < len(parts) and fnmatchcase(parts[at], pattern)
            }
    return len(parts) in reached


def selection(card: Card, config: str, split: str) -> Selection:
    """What the user chose of what the card lists. Raises `InputError` naming what there is."""
    where = f"card {card.file}"
    configs = _configs(card.configs, where)
    if not configs:
        return Selection(None, config, split)
    chosen = _chosen(configs, config, where)
    splits = _splits(chosen, where)
    if not splits:  # a configuration of another folder, without a list of its files
        folder = chosen.get("data_dir")
        globs = (f"{folder.strip('/')}/**",) if isinstance(folder, str) and folder else None
        return Selection(globs, "", split)
    if split and split not in splits:
        raise InputError(f"{where}: no split {split!r}; choose one of: {_names(splits)}")
    chosen_globs = tuple(
        glob for name, found in splits.items() if split in ("", name) for glob in found
    )
    return Selection(chosen_globs)


def _configs(stated: Any, where: str) -> dict[str, dict[str, Any]]:
    if stated is None:
        return {}
    if not isinstance(stated, list) or not all(isinstance(one, dict) for one in stated):
        raise InputError(f"{where}: configs is no list of configurations; correct it")
    return {str(one.get("config_name", "default"))[:_MOST_LENGTH]: one for one in stated}


def _chosen(configs: dict[str, dict[str, Any]], config: str, where: str) -> dict[str, Any]:
    if config:
        if config not in configs:
            raise InputError(f"{where}: no configuration {config!r}; choose one of: "
                             f"{_names(configs)}")  # fmt: skip
        return configs[config]
    marked = [one for name, one in configs.items() if one.get("default") is True]
    if marked or "default" in configs:
        return marked[0] if marked else configs["default"]
    if len(configs) > 1:
        raise InputError(f"{where}: has {len(configs)} configurations; choose one with --config: "
                         f"{_names(configs)}")  # fmt: skip
    return next(iter(configs.values()))


def _splits(config: dict[str, Any], where: str) -> dict[str, list[str]]:
    """Split -> globs of `data_files`: a glob, a list of globs, a list of {split, path}, or a table
    of splits."""
    files = config.get("data_files")
    if files is None:
        return {}
    if isinstance(files, dict):
        files = [{"split": name, "path": path} for name, path in files.items()]
    splits: dict[str, list[str]] = {}
    for one in files if isinstance(files, list) else [files]:
        entry = one if isinstance(one, dict) else {"split": "train", "path": one}
        paths = entry.get("path")
        for path in paths if isinstance(paths, list) else [paths]:
            _require_glob(path, where)
            splits.setdefault(str(entry.get("split", "train")), []).append(
                _below(config.get("data_dir"), path)
            )
    if sum(map(len, splits.values())) > _MOST_GLOBS:
        raise InputError(f"{where}: more than {_MOST_GLOBS} paths in data_files; use globs")
    return splits


def _below(folder: Any, path: Any) -> str:
    return f"{folder.strip('/')}/{path}" if isinstance(folder, str) and folder else path


def _require_glob(path: Any, where: str) -> None:
    if not isinstance(path, str) or not path or len(path) > _MOST_LENGTH:
        raise InputError(f"{where}: data_files: {path!r:.80} is no path; correct it")
    if "://" in path or path.startswith(("/", "hf:")) or ".." in path.split("/"):
        raise InputError(f"{where}: data_files: {path!r:.80} lies elsewhere; only files below the "
                         "folder are read: give that folder as IN")  # fmt: skip


def _names(names: Any) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
