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
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl.crawl.journal import Journal, read_journal
from etl.crawl.worker import die_with_parent
from etl.platforms.order import FATAL_STATUS, Order, task_of
from etl.platforms.row import Task
from schemas.errors import FoundryError

_MEMORY_BYTES = 4 << 30


def run(order: Order, say: Callable[[dict[str, Any]], None]) -> None:
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
            if max(len(decided), len(lists)) >= config.max_items:
                left_out += 1
                continue
            say({"begin": asdict(task)})
            before = gate.run_bytes
            result = visitor.visit(task)
            downloaded = gate.run_bytes - before
            if isinstance(result, Listing):
                children = lists[task.identity] = result.children
                entry = {"kind": "list", "url": task.identity, "downloaded": downloaded}
                journal.append({**entry, "children": [asdict(child) for child in children]})
            else:
                decided.add(task.identity)
                journal.append({"kind": "fetch", "downloaded": downloaded, **result})
            say({"end": task.identity})
        room = max(0, config.max_items - len(waiting))
        left_out += len((children or ())[room:])
        waiting.extendleft(reversed((children or ())[:room]))
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


def _take_stdout() -> Callable[[dict[str, Any]], None]:
    """Says lines to the parent; whatever an extractor prints goes to the log instead."""
    channel = os.dup(1)
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        os.write(channel, (json.dumps(message) + "\n").encode())

    return say


def main() -> int:
    from etl.platforms.wire import guard_process

    say = _take_stdout()
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        order = Order.read(Path(sys.argv[1]))
        import etl.platforms.visit  # noqa: F401 - before the guard: imports may ask the system

        guard_process()
        run(order, say)
    except (FoundryError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FATAL_STATUS
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of an extractor must not hold the process
