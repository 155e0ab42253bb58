"""Being asked to stop: SIGTERM (scancel, a shutdown) or SIGUSR1 (Slurm, before a time limit)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REQUEUE_EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: "try again later"


class StopRequest:
    """Set by a signal handler, read between steps."""

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal_name = signal.Signals(number).name

    def everywhere(self, world_size: int) -> bool:
        """Whether any process was asked; a collective call when there are several."""
        asked = self.signal_name is not None
        if world_size == 1:
            return asked
        import torch

        flag = torch.tensor([int(asked)], dtype=torch.int32)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


@contextmanager
def listen() -> Iterator[StopRequest]:
    """Handlers for SIGTERM and SIGUSR1, put back on the way out."""
    request = StopRequest()
    previous = {
        number: signal.signal(number, request.handle) for number in (signal.SIGTERM, signal.SIGUSR1)
    }
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
