"""Invented personal data with valid check digits, and numbers that only look like it.

Telephone numbers come from ranges that regulators keep for fiction (Ofcom 07700 900xxx, NANPA
555-01xx, ARCEP 01 99 00 xx xx, BNetzA 030 23125 xxx), addresses from RFC 5737, mail domains from
RFC 2606. Chinese identity numbers follow GB 11643-1999, card numbers ISO/IEC 7812 (Luhn).
"""

from __future__ import annotations

from random import Random

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_REGIONS = ("110101", "310115", "440106", "510107", "330102", "420106", "610113", "350203")
_NAMES = ("anna", "li.wei", "jonas", "marta", "k.sato", "ivan", "zhou", "claire", "tom", "mei")
_DOMAINS = ("example.org", "example.com", "example.net", "mail.example.org")
_MOBILE = ("130", "135", "138", "139", "150", "158", "176", "186", "188", "199")


def luhn_valid(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = [int(c) for c in reversed(number)]
    doubled = (d * 2 - 9 * (d > 4) for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def cn_id_valid(number: str) -> bool:
    """Whether the check character of an 18-character Chinese identity number fits."""
    if len(number) != 18 or not number[:17].isdigit():
        return False
    return _ID_CHECK[_weighted(number)] == number[17].upper()


def _weighted(number: str) -> int:
    return sum(w * int(c) for w, c in zip(_ID_WEIGHTS, number[:17], strict=True)) % 11


def _digits(rng: Random, count: int) -> str:
    return "".join(str(rng.randrange(10)) for _ in range(count))


def _card(rng: Random, *, valid: bool) -> str:
    head = rng.choice(("4539", "4485", "5412", "5273", "6222")) + _digits(rng, 11)
    right = next(d for d in "0123456789" if luhn_valid(head + d))
    return head + (right if valid else str((int(right) + rng.randrange(1, 10)) % 10))


def _cn_id(rng: Random, *, valid: bool) -> str:
    birth = f"{rng.randrange(1950, 2004)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    head = rng.choice(_REGIONS) + birth + _digits(rng, 3)
    right = _ID_CHECK[_weighted(head)]
    if valid:
        return head + right
    wrong = [c for c in "0123456789" if c != right and not luhn_valid(head + c)]
    return head + rng.choice(wrong)


def _phone(rng: Random) -> str:
    return rng.choice(
        (
            f"+44 7700 900{_digits(rng, 3)}",
            f"+1 202-555-01{_digits(rng, 2)}",
            f"+33 1 99 00 {_digits(rng, 2)} {_digits(rng, 2)}",
            f"+49 30 23125 {_digits(rng, 3)}",
        )
    )


def invent(kind: str, rng: Random) -> tuple[str, str]:
    """An (entity, value) pair; `kind` is email, phone, cn_phone, cn_id, card or ip."""
    match kind:
        case "email":
            name = f"{rng.choice(_NAMES)}{rng.randrange(10, 99)}"
            return "EMAIL_ADDRESS", f"{name}@{rng.choice(_DOMAINS)}"
        case "phone":
            return "PHONE_NUMBER", _phone(rng)
        case "cn_phone":
            number = rng.choice(_MOBILE) + _digits(rng, 8)
            style = rng.choice(("{}", "{}", "+86 {}"))
            return "PHONE_NUMBER", style.format(number)
        case "cn_id":
            return "CN_ID_CARD", _cn_id(rng, valid=True)
        case "card":
            number = _card(rng, valid=True)
            spaced = " ".join(number[i : i + 4] for i in range(0, 16, 4))
            return "CREDIT_CARD", rng.choice((number, spaced))
        case "ip":
            net = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
            return "IP_ADDRESS", f"{net}.{rng.randrange(1, 255)}"
    raise ValueError(f"no personal data of kind {kind!r}")


def imitate(kind: str, rng: Random) -> tuple[str, str]:
    """A (kind, value) pair that is no personal data: order, not_id, not_ip or serial."""
    match kind:
        case "order":
            return kind, _card(rng, valid=False)  # 16 digits that fail Luhn
        case "not_id":
            return kind, _cn_id(rng, valid=False)  # right shape, wrong check character
        case "not_ip":
            return kind, f"{rng.randrange(1, 9)}.{rng.randrange(10)}.{rng.randrange(300, 999)}.7"
        case "serial":
            letters = "".join(rng.choice("ABCDEFGHKLMNPRST") for _ in range(2))
            return kind, f"{letters}-{rng.randrange(1000, 9999)}-{letters[::-1]}"
    raise ValueError(f"no imitation of kind {kind!r}")
