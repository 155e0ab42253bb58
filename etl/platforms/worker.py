"""`python -m etl.platforms.worker ORDER.json`: the visits of a run, in a process of its own.

yt-dlp runs here and nowhere else: extractors can hang or eat memory, and then the parent ends this
process, gives the item up and starts another that goes on. On stdout one JSON line a visit begun.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl.crawl.journal import Journal, read_journal
from etl.crawl.worker import die_with_parent
from etl.platforms.order import FATAL_STATUS, Order, task_of
from etl.platforms.row import Task
from schemas.errors import FoundryError

_MEMORY_BYTES = 4 << 30
_CHANNEL = 3


def run(order: Order) -> None:
    """Visits every task that the journal does not hold yet."""
    from etl.platforms.gate import Gate
    from etl.platforms.visit import Listing, Visitor

    config = order.platform_config()
    journal = Journal(Path(order.journal))
    decided, lists, spent = _replay(Path(order.journal))
    gate = Gate(config, restarted=order.restarted, run_bytes=spent)
    visitor = Visitor(config, order.source, Path(order.root), order.config_hash, gate)
    waiting, seen, left_out = deque(order.tasks), set(), 0
    while waiting:
        task = waiting.popleft()
        if task.identity in seen:
            continue
        seen.add(task.identity)
        children = lists.get(task.identity)
        if children is None and task.identity not in decided:
            if len(decided) >= config.max_items:
                left_out += 1
                continue
            _say({"begin": asdict(task)})
            before = gate.run_bytes
            result = visitor.visit(task)
            downloaded = gate.run_bytes - before
            if isinstance(result, Listing):
                children = result.children
                entry = {"kind": "list", "url": task.identity, "downloaded": downloaded}
                journal.append({**entry, "children": [asdict(child) for child in children]})
            else:
                decided.add(task.identity)
                journal.append({"kind": "fetch", "downloaded": downloaded, **result})
            _say({"end": task.identity})
        # A list with a page's several media holds tasks of the same URL, told apart by `entry`.
        waiting.extendleft(reversed(children or ()))
    journal.append(
        {"kind": "end", "run_hash": order.run_hash, "items": len(decided), "left_out": left_out}
    )
    journal.close()


def _replay(path: Path) -> tuple[set[str], dict[str, tuple[Task, ...]], int]:
    """What an interrupted run decided: items, lists, and media bytes downloaded."""
    decided: set[str] = set()
    lists: dict[str, tuple[Task, ...]] = {}
    spent = 0
    for entry in read_journal(path):
        spent += int(entry.get("downloaded") or 0)
        if entry["kind"] == "fetch":
            decided.add(entry["url"])
        elif entry["kind"] == "list":
            lists[entry["url"]] = tuple(map(task_of, entry["children"]))
    return decided, lists, spent


def _say(message: dict[str, Any]) -> None:
    """One line to the parent, in one system call."""
    os.write(_CHANNEL, (json.dumps(message) + "\n").encode())


def _take_stdout() -> None:
    """Keeps the pipe to the parent for ourselves: what an extractor prints goes to the log."""
    os.dup2(1, _CHANNEL)
    os.dup2(2, 1)


def main() -> int:
    from etl.platforms.wire import guard_process

    _take_stdout()
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        order = Order.read(Path(sys.argv[1]))
        import etl.platforms.visit  # noqa: F401 - before the guard: imports may ask the system

        guard_process()
        run(order)
    except (FoundryError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FATAL_STATUS
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of an extractor must not hold the process
