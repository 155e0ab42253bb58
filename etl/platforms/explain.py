"""From yt-dlp's errors to where the item ends: refused by a rule, or set aside for a fault.

A wall is a reason to refuse, never one to look for a way around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

from etl.platforms.gate import Gate, Refused
from etl.platforms.row import Outcome
from etl.platforms.wire import WireError

_STATUS = {
    401: ("platform.login", "the server asks for a login"),
    402: ("platform.login", "the server asks for payment"),
    403: ("platform.forbidden", "the server forbids it"),
    404: ("platform.gone", "not found"),
    407: ("platform.login", "a proxy asks for a login"),
    410: ("platform.gone", "gone"),
    451: ("platform.geo", "not available here for legal reasons"),
}
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (rule, re.compile(pattern, re.IGNORECASE))
    for rule, pattern in (
        ("platform.drm", r"\bDRM\b"),
        (
            "platform.geo",
            r"geo.?restrict|not available (?:from|in) your (?:country|location|region)",
        ),
        (
            "platform.login",
            r"\blog ?in\b|sign in|registered users|credentials|--cookies|members.only|premium|"
            r"private video|password|confirm your age|age.restricted|subscri(?:be|ption)",
        ),
        ("platform.live", r"live event|premieres in|is offline"),
        ("platform.gone", r"video (?:is )?(?:unavailable|removed)|has been removed|does not exist"),
        ("platform.no_format", r"\bffmpeg\b"),
        ("platform.no_media", r"unsupported url|no video formats found|no media"),
    )
)


def rejected(refusal: Refused) -> Outcome:
    return Outcome(verdict="rejected", rule=refusal.rule, message=refusal.message)


def explain(error: BaseException, gate: Gate) -> Outcome:
    """How an item ends whose extraction or download raised `error`."""
    message = _clean(str(error))
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, Refused):
            return rejected(cause)
        if isinstance(cause, GeoRestrictedError):
            return rejected(Refused("platform.geo", message))
        if isinstance(cause, UserNotLive):
            return rejected(Refused("platform.live", message))
        if isinstance(cause, HTTPError):
            return _status(cause, message)
    if gate.refusals:
        return rejected(gate.refusals[0])
    for cause in chain:
        if isinstance(cause, UnsupportedError):
            return rejected(Refused("platform.no_media", message))
        if isinstance(cause, TransportError | WireError | TimeoutError):
            kind = "timeout" if "timed out" in message.lower() else "network_error"
            return Outcome(verdict="quarantined", error_class=kind, message=message)
    if refusal := refused_in_words(message):
        return rejected(refusal)
    kind = "extractor_error"
    return Outcome(verdict="quarantined", error_class=kind, message=message)


def refused_in_words(message: str) -> Refused | None:
    """The wall that an extractor's words name, if any: few extractors raise a class for it."""
    for rule, words in _WORDS:
        if words.search(message):
            return Refused(rule, message)
    return None


def _status(error: HTTPError, message: str) -> Outcome:
    known = _STATUS.get(error.status)
    if known:
        return rejected(Refused(known[0], f"status {error.status}: {known[1]}"))
    return Outcome(verdict="quarantined", error_class="http_error", message=message)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it, by every way in which yt-dlp keeps a cause."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None)
        waiting += [info[1] if info else None, getattr(one, "cause", None)]
        waiting += [one.__cause__, one.__context__]


def _clean(message: str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", message).removeprefix("ERROR: ")
    return " ".join(text.split("; please report this issue")[0].split())[:500]
