"""Checkpoints: whole or absent, with a pointer that is moved last.

A checkpoint is written into a folder of another name and renamed when Megatron's own completion
marker (`metadata.json`) is there; then `latest.json` is replaced. A crash at any point leaves the
previous checkpoint in charge. Model and optimizer state are in Megatron's `torch_dist` format with
the fully reshardable optimizer layout, so that a run resumes on another number of processes.
"""

from __future__ import annotations

import json
import queue
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError
from training.durable import write_atomically

if TYPE_CHECKING:
    import torch

_LATEST = "latest.json"
_LAYOUT = {
    "distrib_optim_sharding_type": "fully_reshardable",
    "chained_optim_avoid_prefix": True,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where a run stands: all the loop needs besides the weights to go on exactly."""

    iteration: int
    consumed_tokens: int
    run_key: str
    vocabulary_hash: str


class Checkpoints:
    """The `checkpoints/` folder of a run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep

    def latest(self) -> Path | None:
        """The folder the pointer names; None before the first checkpoint."""
        pointer = self._folder / _LATEST
        try:
            name = json.loads(pointer.read_text(encoding="utf-8"))["folder"]
        except FileNotFoundError:
            return None
        folder = self._folder / name
        if not (folder / "metadata.json").is_file():
            raise InputError(
                f"{folder}: not a complete checkpoint although {pointer} names it; "
                f"delete {pointer} to start the run again"
            )
        return folder

    def save(self, progress: Progress, model: torch.nn.Module, optimizer: Any) -> Path:
        """Collective: every rank calls it. Returns the checkpoint's folder."""
        import torch
        from megatron.core import dist_checkpointing

        final = self._folder / f"iter_{progress.iteration:07d}"
        staged = self._folder / f".{final.name}.partial"
        first = torch.distributed.get_rank() == 0
        if first:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
        torch.distributed.barrier()
        _write_in_this_process()
        state = _state(model, optimizer, is_loading=False)
        state["progress"] = asdict(progress)
        dist_checkpointing.save(state, str(staged))
        torch.distributed.barrier()
        if first:
            shutil.rmtree(final, ignore_errors=True)
            staged.rename(final)
            pointer = {"folder": final.name, "iteration": progress.iteration}
            write_atomically(self._folder / _LATEST, json.dumps(pointer) + "\n")
            self._prune()
        torch.distributed.barrier()
        return final

    def load(self, model: torch.nn.Module, optimizer: Any, expected: Progress) -> Progress | None:
        """Collective. Restores the latest checkpoint in place; None when there is none.

        Raises `InputError` when it belongs to another run or vocabulary than `expected`.
        """
        from megatron.core import dist_checkpointing

        from training.compat import adam

        folder = self.latest()
        if folder is None:
            return None
        saved = Progress(**dist_checkpointing.load_common_state_dict(str(folder))["progress"])
        for name in ("run_key", "vocabulary_hash"):
            if getattr(saved, name) != getattr(expected, name):
                raise InputError(
                    f"{folder}: {name} is {getattr(saved, name)}, this run's is "
                    f"{getattr(expected, name)}; use the run folder it was made in"
                )
        state = dist_checkpointing.load(_state(model, optimizer, is_loading=True), str(folder))
        _unwrap(model).load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if adam.is_needed():
            adam.separate_steps(optimizer)
        return saved

    def _prune(self) -> None:
        kept = sorted(self._folder.glob("iter_*"))[: -self._keep]
        for folder in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _unwrap(model: torch.nn.Module) -> Any:
    return model.module


def _state(model: torch.nn.Module, optimizer: Any, *, is_loading: bool) -> dict[str, Any]:
    weights = _unwrap(model).sharded_state_dict(metadata=_LAYOUT)
    return {
        "model": weights,
        "optimizer": optimizer.sharded_state_dict(weights, is_loading=is_loading, metadata=_LAYOUT),
    }


def _write_in_this_process() -> None:
    """Results of the (synchronous) writers come back through a plain queue.

    Megatron would start a `multiprocessing` manager for it, which imports torch anew (7 s).
    """
    from megatron.core.dist_checkpointing.strategies import filesystem_async

    if filesystem_async._results_queue is None:
        filesystem_async._results_queue = queue.Queue()
