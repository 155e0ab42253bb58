"""`python -m etl.sample_site`: serves the sample site until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from etl.sample_site.generate import build_site
from etl.sample_site.model import DEFAULT_PORT
from etl.sample_site.server import serve


def main() -> int:
    """Prints the seeds, one a line, when the server answers; ends at SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m etl.sample_site", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", type=int, default=0)
    parser.add_argument("--pages", type=int, default=640)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--log", type=Path, help="file that gets one JSON line a request")
    parser.add_argument("--truth", type=Path, help="file that gets the truth as JSON lines")
    options = parser.parse_args()
    site = build_site(options.seed, options.day, options.pages, options.port)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with serve(site, options.port, options.log) as server:
            if options.truth:
                options.truth.write_text(server.site.truth(), encoding="utf-8")
            sys.stdout.write("".join(f"{seed}\n" for seed in server.seeds))
            sys.stdout.flush()
            stop.wait()
    except OSError as error:
        sys.stderr.write(f"port {options.port}: {error}; choose another with --port\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
