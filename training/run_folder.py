"""The folder of a run: everything that went in and everything that comes out.

    config.json            the frozen recipe and what it is trained on
    blend.json             the blend, with absolute dataset prefixes
    metrics.jsonl          one line a logged step
    samples/               step -> document ids, a file per attempt and rank
    checkpoints/           iter_NNNNNNN folders and latest.json, the pointer written last
    attempts/NNN/          logs and job records of each start
    result.json            how the last attempt ended

The folder's name holds the hash of recipe and blend: preparing the same run again finds it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.identity import config_hash
from schemas.manifest import BlendManifest
from training.data.blend import blend_identity
from training.durable import write_atomically
from training.recipes import Recipe, get_recipe, recipe_from_dict, with_overrides


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """What `config.json` holds. `key` names the run in its folder and in Slurm's comment."""

    key: str
    recipe: Recipe
    blend_identity: str

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Raises `InputError` when the file is missing or was changed by hand into nonsense."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            recipe = recipe_from_dict(values["recipe"])
            return cls(key=values["key"], recipe=recipe, blend_identity=values["blend_identity"])
        except FileNotFoundError:
            raise InputError(f"{path}: no such run; prepare it first") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a run's configuration ({error!r})") from None

    def to_text(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths within a run folder."""

    path: Path

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def blend_path(self) -> Path:
        return self.path / "blend.json"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def result_path(self) -> Path:
        return self.path / "result.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def lock_path(self) -> Path:
        return self.path / ".training.lock"

    def config(self) -> RunConfig:
        return RunConfig.read(self.config_path)

    def samples_path(self, attempt: int, rank: int) -> Path:
        return self.path / "samples" / f"attempt-{attempt:03d}-rank-{rank:05d}.jsonl"

    def attempt_path(self, attempt: int) -> Path:
        return self.path / "attempts" / f"{attempt:03d}"

    def attempts(self) -> list[int]:
        folder = self.path / "attempts"
        if not folder.is_dir():
            return []
        return sorted(int(item.name) for item in folder.iterdir() if item.name.isdigit())

    def new_attempt(self) -> int:
        """Creates the next attempt's folder; its number. Safe against a second launcher."""
        while True:
            number = max(self.attempts(), default=0) + 1
            try:
                self.attempt_path(number).mkdir(parents=True)
            except FileExistsError:
                continue
            return number

    def result(self) -> dict[str, Any] | None:
        """The last attempt's result; None while none has ended."""
        try:
            return json.loads(self.result_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    @property
    def is_complete(self) -> bool:
        result = self.result()
        return result is not None and result.get("status") == "completed"


def prepare_run(
    root: Path,
    recipe: str | Recipe,
    blend: Path,
    overrides: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Create (or find) the run folder of a recipe with `overrides` on a blend manifest.

    Raises `InputError` for an unknown recipe or setting, or a blend that cannot be read; nothing
    is written then. Dataset prefixes are stored absolute, and refreshed when a dataset has moved.
    """
    base = get_recipe(recipe) if isinstance(recipe, str) else recipe
    frozen = with_overrides(base, overrides or {})
    manifest = BlendManifest.read(blend)
    identity = blend_identity(manifest)
    digest = config_hash({"recipe": dataclasses.asdict(frozen), "blend": identity})
    config = RunConfig(key=f"{frozen.name}-{digest}", recipe=frozen, blend_identity=identity)
    folder = RunFolder((root / config.key).resolve())
    folder.path.mkdir(parents=True, exist_ok=True)
    write_atomically(folder.blend_path, _absolute(manifest, blend.parent).to_text())
    write_atomically(folder.config_path, config.to_text())
    return folder


def _absolute(manifest: BlendManifest, folder: Path) -> BlendManifest:
    def moved(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            entry.model_copy(update={"prefix": str((folder / entry.prefix).resolve())})
            for entry in entries
        )

    return manifest.model_copy(
        update={"entries": moved(manifest.entries), "validation": moved(manifest.validation)}
    )
