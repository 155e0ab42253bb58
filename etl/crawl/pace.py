"""How fast a host is asked: never faster than it wants, slower when it shows strain.

The floor is the profile's delay or the host's Crawl-delay. A 429 or 503 doubles the delay (or
takes the host's Retry-After); answers that come much slower than this host's best make room, too.
Good answers bring the delay back to the floor. Scrapy's AutoThrottle knows no Crawl-delay and
does not act on errors; hence this one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_BUSY = (429, 503)
_FIRST_DELAY = 1.0  # seconds, after the first sign of strain
_SLOW = 0.5  # seconds: answers faster than this are never a sign of strain
_STRAINED = 3.0  # times the host's best latency
_EASE = 0.8


@dataclass(slots=True)
class Pace:
    """The delay between requests to one host, in seconds, as it is now."""

    floor: float
    ceiling: float
    delay: float = 0.0
    _best: float = float("inf")
    _latency: float = 0.0

    def __post_init__(self) -> None:
        self.delay = max(self.delay, self.floor)

    def answered(self, status: int, latency: float, retry_after: str | None = None) -> float:
        """Notes an answer that took `latency` seconds; returns the delay from now on."""
        if status in _BUSY:
            asked = retry_after_seconds(retry_after)
            self.delay = max(2 * self.delay, _FIRST_DELAY, asked or 0.0)
        else:
            self._best = min(self._best, latency)
            self._latency = latency if not self._latency else 0.7 * self._latency + 0.3 * latency
            if self._latency > max(_SLOW, _STRAINED * self._best):
                self.delay = max(self.delay, self._latency)
            else:
                eased = self.delay * _EASE
                self.delay = eased if eased > 0.01 else 0.0
        self.delay = max(self.floor, min(self.delay, self.ceiling))
        return self.delay


def retry_after_seconds(value: str | None, now: float | None = None) -> float | None:
    """Retry-After (RFC 9110, 10.2.3) as seconds from now; None when it is absent or no such."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))
