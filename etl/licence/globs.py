"""Path patterns of REUSE.toml and .gitattributes, matched without backtracking over their stars."""

from __future__ import annotations

_PATTERN_LENGTH = 300


def matches(pattern: str, path: str) -> bool:
    """`*` and `?` stay inside a path segment, `**` crosses them; classes (`[a]`) are literal."""
    if len(pattern) > _PATTERN_LENGTH:
        return False
    parts, names = pattern.strip("/").split("/"), path.split("/")
    # reached[n]: whether the parts up to here match the first n names
    reached = [True, *[False] * len(names)]
    for part in parts:
        if part == "**":
            first = reached.index(True) if True in reached else len(names) + 1
            reached = [n >= first for n in range(len(names) + 1)]
            continue
        reached = [
            False,
            *(reached[n] and _segment(part, name) for n, name in enumerate(names)),
        ]
    return reached[-1]


def _segment(pattern: str, name: str) -> bool:
    at = star = mark = 0
    place, starred = 0, False
    while place < len(name):
        if at < len(pattern) and pattern[at] in ("?", name[place]) and pattern[at] != "*":
            at, place = at + 1, place + 1
        elif at < len(pattern) and pattern[at] == "*":
            starred, star, mark = True, at, place
            at += 1
        elif starred:
            at, mark = star + 1, mark + 1
            place = mark
        else:
            return False
    return not pattern[at:].strip("*")
