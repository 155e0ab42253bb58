"""Evidence of a licence, and the rule by which conflicting evidence is resolved.

1. The most specific kind decides: a statement in markup about this very work (`TIERS` 1), then a
   link beside words that say so (2), then a phrase (3), then what is said of the whole that the
   work is a part of, a site or a data set (4).
2. Within a tier the most restrictive terms win, and of equal terms the id that SPDX lists.

Evidence that is about something else (a picture, a quoted work), hidden or negated is kept with
the reason why it does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from etl.licence.spdx import is_spdx, restrictiveness
from schemas.identity import UNKNOWN_LICENCE

TIERS = {
    "field": 1,  # the licence field of a record, as a platform or a corpus gives it
    "spdx_tag": 1,  # SPDX-License-Identifier in the file itself
    "reuse": 1,  # a file's licence as REUSE.toml or its own .license file says
    "rel_license": 1,
    "http_link": 1,
    "schema_org": 1,
    "dublin_core": 1,
    "rdfa": 1,
    "meta": 1,
    "link": 2,
    "text": 3,
    "licence_file": 4,  # the LICENSE of the folder that holds the work
    "book_notice": 3,  # words at the beginning or the end of a book
    "dataset_card": 4,
    "site": 4,
}
_MOST = 24  # pieces kept of one document: a page of links must not fill the ledger
_TEXT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Evidence:
    """`licence` is what `text` (a URL, a value or words), found at `place`, stands for.

    `ignored` says why it is no statement about this work: `hidden`, `picture`, `other_work`,
    `negated` or `mentioned`; None when it counts.
    """

    kind: str
    licence: str
    text: str
    place: str
    ignored: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in TIERS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(TIERS)}")

    def as_row(self) -> dict[str, Any]:
        return asdict(self) | {"text": shortened(self.text), "place": shortened(self.place)}


@dataclass(frozen=True, slots=True)
class Licence:
    """An SPDX id, a `LicenseRef-`, or `unknown`; `evidence` quotes what decided; `found` is all."""

    spdx: str
    evidence: str | None = None
    found: tuple[Evidence, ...] = ()


def resolve(found: Iterable[Evidence]) -> Licence:
    """The licence that the evidence amounts to, by the rule of this module."""
    pieces = tuple(dict.fromkeys(found))
    counting = [piece for piece in pieces if piece.ignored is None]
    # What counts is kept first, so that a page full of mentions cannot crowd it out.
    kept = tuple(sorted(pieces, key=lambda piece: piece.ignored is not None)[:_MOST])
    if not counting:
        return Licence(UNKNOWN_LICENCE, None, kept)
    first = min(TIERS[piece.kind] for piece in counting)
    best = max(
        (piece for piece in counting if TIERS[piece.kind] == first),
        key=lambda piece: (restrictiveness(piece.licence), is_spdx(piece.licence)),
    )
    kept = kept if best in kept else (best, *kept[:-1])
    return Licence(best.licence, f"{best.kind}: {shortened(best.text)}", kept)


def shortened(text: str) -> str:
    return " ".join(text.split())[:_TEXT_LENGTH]
