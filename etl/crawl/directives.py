"""What a site says may be done with a page: robots directives and opt-outs from data mining.

Sources: X-Robots-Tag and `<meta name="robots">` (Google's and Bing's documentation; `noai` and
`noimageai` are DeviantArt's), and the TDM Reservation Protocol (W3C community group, 2024):
header, meta element and /.well-known/tdmrep.json. These are the machine-readable reservations of
Directive (EU) 2019/790, article 4(3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

OPT_OUTS = ("noai", "noimageai", "noarchive", "noindex", "tdm-reservation")
"""The directives that are recorded; a profile chooses which of them it obeys."""
MAX_TDMREP_BYTES = 256 * 1024
_MAX_RULES = 1_000
_DIRECTIVE = re.compile(r"[a-z_-]+")
# `none` stands for both; `unavailable_after: DATE` and the like have a value and are no user agents
_WITH_VALUE = frozenset(
    ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")
)


def robots_directives(values: Iterable[str], product: str) -> frozenset[str]:
    """Directives of X-Robots-Tag headers that address everybody or `product`.

    A value is `noai, noindex` or `PRODUCT: noai, noindex`; an agent's name holds for what follows
    it in the same value.
    """
    found: set[str] = set()
    for value in values:
        addressed = True
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in _WITH_VALUE:
                addressed = name.strip() in ("*", product.lower())
                part = rest
            if addressed:
                found |= directives(part)
    return frozenset(found)


def directives(content: str) -> frozenset[str]:
    """Directives of the content of one meta element, `none` resolved."""
    found = set()
    for part in content.lower().split(","):
        match = _DIRECTIVE.match(part.strip())
        if match:
            found.add(match.group())
    if "none" in found:
        found |= {"noindex", "nofollow"}
    return frozenset(found)


def opt_outs(found: Iterable[str]) -> tuple[str, ...]:
    """The recorded ones among directives, in one order."""
    present = frozenset(found)
    return tuple(name for name in OPT_OUTS if name in present)


def is_reserved(value: str | None) -> bool:
    """A `tdm-reservation` value: 1 reserves; 0, absent or anything else does not."""
    return value is not None and value.strip() == "1"


@dataclass(frozen=True, slots=True)
class Reservations:
    """A host's tdmrep.json: (pattern of a path, reserved) in its order; the longest match rules."""

    rules: tuple[tuple[re.Pattern[str], int, bool], ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Reservations:
        """Reads the file; anything that is not one reserves nothing."""
        try:
            entries = json.loads(body[:MAX_TDMREP_BYTES])
        except (ValueError, RecursionError):
            return cls()
        rules = []
        for entry in entries[:_MAX_RULES] if isinstance(entries, list) else ():
            location = entry.get("location") if isinstance(entry, dict) else None
            if isinstance(location, str):
                reserved = is_reserved(str(entry.get("tdm-reservation")))
                rules.append((_pattern(location), len(location), reserved))
        return cls(tuple(rules))

    def reserves(self, path: str) -> bool:
        matching = [(length, on) for pattern, length, on in self.rules if pattern.match(path)]
        return max(matching)[1] if matching else False


def _pattern(location: str) -> re.Pattern[str]:
    """As in robots.txt: a prefix, `*` for any characters, `$` at the end for the end."""
    anchored = location.endswith("$")
    # A run of stars is one star: many in a row would make matching slow.
    parts = re.split(r"\*+", location.removesuffix("$"))
    return re.compile(".*?".join(map(re.escape, parts)) + ("$" if anchored else ""), re.DOTALL)
