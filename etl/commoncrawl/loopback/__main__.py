"""`python -m etl.commoncrawl.loopback FOLDER [FAULT]`: prints its port, serves until stdin ends."""

from __future__ import annotations

import sys
from pathlib import Path

from etl.commoncrawl.loopback.server import Fault, serve_ranges


def main() -> int:
    fault = Fault(sys.argv[2] if len(sys.argv) > 2 else Fault.NONE)
    with serve_ranges(Path(sys.argv[1])) as server:
        server.fault = lambda hit: fault  # noqa: ARG005
        print(server.port, flush=True)
        sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
