"""Configuration of the scrub step, and the kinds of personal data it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

PLACEHOLDERS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CN_ID_CARD": "ID_CARD",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "SECRET_KEY": "KEY",
    "PASSPORT": "PASSPORT",
}
"""Entity (Presidio's name where it has one) -> the word in its placeholder, `[EMAIL_1]`."""

# Where two findings overlap and score the same, the more specific kind wins.
PRIORITY = tuple(PLACEHOLDERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScrubConfig:
    """What is masked. Passports are left out by default: they have no checksum.

    `minimum_score` is the confidence from 0 to 1 below which a finding is dropped. A number that
    looks like a phone or a card scores higher beside a word that says so ("tel", "电话") and lower
    beside one that says otherwise ("order", "订单").

    Raises `ValueError` naming the field.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    entities: tuple[str, ...] = tuple(name for name in PLACEHOLDERS if name != "PASSPORT")
    minimum_score: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.entities, str):
            raise ValueError("entities: must be a list of names, not one string")
        unknown = sorted(set(self.entities) - set(PLACEHOLDERS))
        if unknown:
            known = ", ".join(PLACEHOLDERS)
            raise ValueError(f"entities: {unknown[0]!r} is not one of {known}")
        if not 0 < self.minimum_score <= 1:
            raise ValueError(f"minimum_score: {self.minimum_score} is not above 0 and at most 1")
