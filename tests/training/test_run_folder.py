from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.manifest import BlendManifest
from training.durable import exclusive, write_atomically
from training.launch import prepare_run
from training.run_folder import RunFolder

type_overrides = Callable[..., dict[str, Any]]


def test_the_same_run_is_found_again_and_another_is_not(
    tmp_path: Path, blend_path: Path, small: type_overrides
) -> None:
    first = prepare_run(tmp_path, "tiny_moe", blend_path, small())
    again = prepare_run(tmp_path, "tiny_moe", blend_path, small())
    other = prepare_run(tmp_path, "tiny_moe", blend_path, small(loop__steps=5))
    assert first == again != other
    assert first.config().recipe.loop.steps == 4
    assert first.path.name == first.config().key
    blend = BlendManifest.read(first.blend_path)
    assert Path(blend.entries[0].prefix) == blend_path.parent / "text"


def test_nothing_is_written_for_a_bad_setting(tmp_path: Path, blend_path: Path) -> None:
    with pytest.raises(InputError, match="unknown"):
        prepare_run(tmp_path / "runs", "tiny_moe", blend_path, {"loop.stepz": 1})
    with pytest.raises(InputError, match="no such manifest"):
        prepare_run(tmp_path / "runs", "tiny_moe", tmp_path / "none.json")
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run"):
        RunFolder(tmp_path).config()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="not a run's configuration"):
        RunFolder(tmp_path).config()


def test_attempts_are_numbered_without_gaps_or_doubles(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.append(folder.new_attempt())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == folder.attempts() == list(range(1, 9))


def test_a_lock_is_held_by_one_and_released(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock") as mine:
        assert mine
        with exclusive(tmp_path / "lock") as theirs:
            assert not theirs
    with exclusive(tmp_path / "lock") as free:
        assert free


def test_an_atomic_write_leaves_no_stage_behind(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", "1")
    write_atomically(tmp_path / "a.json", "2")
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("a.json", "2")]
