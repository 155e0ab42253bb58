"""The training program: `python -m training.run --config RUN_FOLDER/config.json [--attempt N]`.

Started as it is for one process, by torchrun or srun for several. Exit status: 0 the run is
complete, 75 it was asked to stop and wrote a checkpoint (start it again to go on), 2 bad input,
1 anything else. Checkpoint writers re-import this module, so heavy imports stay inside functions.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path

from schemas.errors import FoundryError, InputError
from training.durable import exclusive, write_atomically
from training.run_folder import RunFolder

logger = logging.getLogger("training")


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line and trains; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config.json of a run folder")
    parser.add_argument("--attempt", type=int, default=1, help="number of this start of the run")
    options = parser.parse_args(arguments)
    _quiet_libraries()
    try:
        return _attempt(RunFolder(options.config.resolve().parent), options.attempt)
    except FoundryError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status


def _attempt(folder: RunFolder, attempt: int) -> int:
    from training.model.parallel import process_groups, rank_environment

    recipe = folder.config().recipe
    if folder.is_complete:
        print(f"{folder.path}: complete already", file=sys.stderr)
        return 0
    if rank_environment()[0] != 0:
        with process_groups(recipe) as ranks:
            return _train(folder, attempt, ranks)
    with exclusive(folder.lock_path) as free:
        if not free:
            raise InputError(f"{folder.path}: another process is training this run; wait for it")
        folder.result_path.unlink(missing_ok=True)
        with process_groups(recipe) as ranks:
            return _train(folder, attempt, ranks)


def _train(folder: RunFolder, attempt: int, ranks: object) -> int:
    from training.loop.signals import REQUEUE_EXIT_CODE, listen
    from training.loop.train import failure, train
    from training.model.parallel import Ranks

    assert isinstance(ranks, Ranks)  # noqa: S101
    try:
        with listen() as stop:
            outcome = train(folder, attempt, ranks, stop)
    except Exception as error:
        if ranks.is_first:
            write_atomically(folder.result_path, json.dumps(failure(error, attempt)) + "\n")
        if isinstance(error, FoundryError) and ranks.world_size == 1:
            raise
        traceback.print_exc()
        # The other ranks wait in a collective call: leave at once, and the launcher ends them.
        sys.stderr.flush()
        os._exit(error.exit_status if isinstance(error, FoundryError) else 1)
    if ranks.is_first:
        text = json.dumps(dataclasses.asdict(outcome), indent=2) + "\n"
        write_atomically(folder.result_path, text)
        print(text, end="")
    return 0 if outcome.status == "completed" else REQUEUE_EXIT_CODE


def _quiet_libraries() -> None:
    """Megatron warns, at import, about each optional library that is not there."""
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # halves the start; nothing is compiled
    warnings.filterwarnings("ignore", module=r"megatron\.|torch\.")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


if __name__ == "__main__":
    sys.exit(main())
