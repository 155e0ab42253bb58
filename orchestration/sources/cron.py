"""Cron lines (UTC) that do not all start at once: each source's is moved by minutes of its own.

How many minutes depends on the source's name alone, so that it survives restarts and edits of
other sources, and a hundred sources with the same cron spread over the jitter.
"""

from __future__ import annotations

import hashlib

_DAY = 24 * 60
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))


def offset(name: str, jitter_minutes: int) -> int:
    """Minutes from 0 to `jitter_minutes`, evenly spread over names."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (jitter_minutes + 1)


def moved(cron: str, minutes: int) -> list[str]:
    """`cron` as lines that fire `minutes` later. Raises `ValueError` for what is no cron line, and
    when a line that names days would be moved past their midnight."""
    minute, hour, *days = _parsed(cron)
    rest = " ".join(cron.split()[2:])
    every_hour, every_day = len(hour) == 24, days == _parsed("0 0 * * *")[2:]
    lines = []
    for one in sorted(minute):
        later = (one + minutes) // 60
        if max(hour) + later > 23 and not (every_hour or every_day):
            raise ValueError(
                f"cron {cron!r} moved by {minutes} minutes passes midnight, into another day; "
                "choose an earlier hour or a smaller jitter_minutes"
            )
        hours = sorted({(each + later) % 24 for each in hour})
        told = "*" if every_hour else ",".join(map(str, hours))
        lines.append(f"{(one + minutes) % 60} {told} {rest}")
    return lines


def is_frequent(cron: str) -> bool:
    """Whether it fires more than once on a day."""
    minute, hour, *_ = _parsed(cron)
    return len(minute) * len(hour) > 1


def check(cron: str, jitter_minutes: int) -> None:
    """Raises `ValueError` unless `cron` can be moved by up to `jitter_minutes`."""
    moved(cron, 0)
    minute, hour, *_ = _parsed(cron)
    times = sorted(h * 60 + m for h in hour for m in minute)
    gaps = [b - a for a, b in zip(times, [*times[1:], times[0] + _DAY], strict=True)]
    if jitter_minutes >= min(gaps):
        raise ValueError(
            f"jitter_minutes is {jitter_minutes}, but cron {cron!r} fires every {min(gaps)} "
            "minutes; choose fewer"
        )
    moved(cron, jitter_minutes)


def _parsed(cron: str) -> list[set[int]]:
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"cron {cron!r} has {len(parts)} fields; write minute hour day month "
                         "weekday, such as '0 3 * * *'")  # fmt: skip
    return [_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]


def _field(text: str, name: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        elif not dash:
            last = str(high) if step else first
        numbers = (first, last, step or "1")
        if not all(number.isascii() and number.isdigit() for number in numbers):
            raise ValueError(f"cron: {name} {text!r} is not understood; use numbers, * , - and /")
        start, end, by = map(int, numbers)
        if not (low <= start <= end <= high and by > 0):
            raise ValueError(f"cron: {name} {text!r} is not within {low} to {high}")
        found.update(range(start, end + 1, by))
    return found
