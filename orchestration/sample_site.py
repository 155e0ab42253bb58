"""The sample site as a process of its own, for as long as a crawl needs it.

`python -m orchestration.sample_site ...` is the site's own program, which also ends when the
process that started it is gone, however that came about: its port is part of its URLs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import StepError

if TYPE_CHECKING:
    from orchestration.profile import SampleSite

# Every day removes some pages: an old site would be an empty one.
LAST_DAY = 14


def request_log(folder: Path, day: int) -> Path:
    """The site's own log of a day: what the crawler really asked for."""
    return folder / f"requests-day{day}.jsonl"


@contextmanager
def running_site(site: SampleSite, day: int, folder: Path) -> Iterator[list[str]]:
    """Yields the seeds when the site answers; it stops at the end of the block.

    Days after `LAST_DAY` see the site as it was then. Requests are logged in `folder`.
    """
    from etl.sample_site.model import HOSTS

    day = min(day, LAST_DAY)
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "--seed": site.seed,
        "--day": day,
        "--pages": site.pages,
        "--port": site.port,
        "--log": request_log(folder, day),
    }
    command = [sys.executable, "-m", "orchestration.sample_site"]
    command += [str(part) for pair in options.items() for part in pair]
    with subprocess.Popen(  # noqa: S603 (our own interpreter and module, no shell)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (PIPE)
            assert process.stderr is not None  # noqa: S101 (PIPE)
            seeds = [process.stdout.readline().strip() for _ in HOSTS]
            if not all(seeds):
                said = process.stderr.read().strip().splitlines() or ["no answer"]
                raise StepError(f"the sample site did not start: {said[-1]} (sample_site.port)")
            yield seeds
        finally:
            process.terminate()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent's end of the pipe is closed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from etl.sample_site.__main__ import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main())
