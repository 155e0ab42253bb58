"""Names of snapshots, and how they keep the order of time.

Later steps compare snapshots as strings: a document is compared with those of earlier names. So a
snapshot must have a later name than all that were asked for before it. The profile's crawl is a
plain date (`2026-01-02`); what a source brought is `PARTITION.NAME` (`2026-01-02.cc-german`), a
batch of files `DATE.NAME-DIGEST` (`2026-01-02.landing-3f2a90c1`). What arrives out of turn, because
fetching took three days or a file is dated 2023, gets the minute of its arrival in front and its
own partition behind: `2026-01-05T0931.cc-german.2026-01-02`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.errors import InputError

NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_WHEN = r"\d{4}-\d{2}-\d{2}(?:T\d{4})?"
_DIGEST = r"[0-9a-f]{8}"
_SNAPSHOT = re.compile(
    rf"(?P<when>{_WHEN})\.(?P<name>[a-z0-9-]+?)(?:-(?P<digest>{_DIGEST}))?(?:\.(?P<own>{_WHEN}))?"
)
_PARTITION = re.compile(rf"(?P<when>{_WHEN})(?:-(?P<digest>{_DIGEST}))?")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a snapshot was made from: a source and its partition."""

    source: str
    partition: str


def ends_like_a_batch(name: str) -> bool:
    """Whether a source's name could be read as another's name and the digest of a batch."""
    return re.search(rf"-{_DIGEST}$", name) is not None


def origin(snapshot: str) -> Origin | None:
    """None for a snapshot of the profile's own crawl."""
    found = _SNAPSHOT.fullmatch(snapshot)
    if found is None:
        return None
    own = found["own"] or found["when"]
    return Origin(found["name"], f"{own}-{found['digest']}" if found["digest"] else own)


def snapshot_of(source: str, partition: str) -> str:
    """The snapshot of what arrives in its turn. Raises `InputError` for no partition's name."""
    return _named(*_parts(partition), source)


def in_turn(source: str, partition: str, known: Iterable[str], now: datetime) -> str:
    """The snapshot of a partition that has arrived: later than all `known` ones."""
    name, latest = snapshot_of(source, partition), max(known, default="")
    if name > latest:
        return name
    own, digest = _parts(partition)
    return f"{_named(_later(latest, now), digest, source)}.{own}"


def due(source: str, tick: datetime, frequent: bool, known: Iterable[str]) -> str:
    """The partition of a scheduled tick: its date, with the time when the cron is `frequent` or the
    snapshot would else be out of turn. `source` is "" for the profile's own crawl."""
    day, latest = tick.date().isoformat(), max(known, default="")
    ending = f".{source}" if source else ""
    if not frequent and day + ending > latest:
        return day
    timed = f"{tick:%Y-%m-%dT%H%M}"
    return timed if timed + ending > latest else _later(latest, tick)


def batch_partition(day: str, digest: str) -> str:
    return f"{day}-{digest}"


def _parts(partition: str) -> tuple[str, str]:
    found = _PARTITION.fullmatch(partition)
    if found is None:
        raise InputError(
            f"{partition!r} names no partition of a source; add one named by a date (2026-01-02), "
            "with the time where there are several a day (2026-01-02T0630)"
        )
    return found["when"], found["digest"] or ""


def _named(when: str, digest: str, source: str) -> str:
    return f"{when}.{source}" + (f"-{digest}" if digest else "")


def _later(latest: str, now: datetime) -> str:
    """A minute after that of `latest`, or now if that is later still."""
    found = re.match(r"(\d{4}-\d{2}-\d{2})(?:T(\d{4}))?", latest)
    time = f"{now:%Y-%m-%dT%H%M}"
    if found is None:
        return time
    before = datetime.strptime(f"{found[1]}T{found[2] or '0000'}", "%Y-%m-%dT%H%M")
    return max(time, f"{before + _MINUTE:%Y-%m-%dT%H%M}")
