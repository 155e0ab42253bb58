"""Checks that tell an identifier from a number: Luhn, ISO 7064 MOD 11-2, dates, card ranges."""

from __future__ import annotations

import datetime

_CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CN_CHECK = "10X98765432"
# GB/T 2260: the first two digits name the province.
_CN_PROVINCES = frozenset(
    ("11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37",
     "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64",
     "65", "71", "81", "82", "83", "91")
)  # fmt: skip
# ISO/IEC 7812 issuer ranges: (first, last) prefix -> lengths.
_CARD_RANGES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "81", (16, 17, 18, 19)),
    ("60", "60", (16, 17, 18, 19)),  # issued by banks in China and India
    ("9558", "9558", (19,)),
)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """A number that an issuer may have given out: range, length, Luhn, not one digit repeated."""
    if len(set(digits)) < 2 or not luhn(digits):
        return False
    return any(
        first <= digits[: len(first)] <= last and len(digits) in lengths
        for first, last, lengths in _CARD_RANGES
    )


def is_cn_id_card(text: str) -> bool:
    """18 characters of GB 11643: province, a real date of birth, ISO 7064 MOD 11-2 check."""
    if len(text) != 18 or not text[:17].isdigit() or text[:2] not in _CN_PROVINCES:
        return False
    try:
        born = datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    if not 1880 <= born.year < 2100:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _CN_WEIGHTS, strict=False))
    return _CN_CHECK[total % 11] == text[17].upper()
