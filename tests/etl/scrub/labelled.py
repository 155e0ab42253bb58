"""A labelled set: sentences with invented personal data in many spellings, and hard negatives.

Everything is drawn from a seed. Nothing here belongs to anybody: numbers are random and pass their
checksums by construction, domains are reserved or made up, keys are random letters.
"""

from __future__ import annotations

import datetime
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = string.digits
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Sample:
    """A text and what it holds: (entity, value as it is written)."""

    text: str
    truth: tuple[tuple[str, str], ...] = ()


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(DIGITS, k=count))


def with_luhn(payload: str) -> str:
    for check in DIGITS:
        total = 0
        for place, digit in enumerate(reversed(payload + check)):
            value = int(digit) * (1 + place % 2)
            total += value // 10 + value % 10
        if total % 10 == 0:
            return payload + check
    raise AssertionError("one of ten digits always fits")


def card(rng: random.Random) -> str:
    prefix, length = rng.choice([("4", 16), ("52", 16), ("37", 15), ("6222", 16), ("622202", 19)])
    number = with_luhn(prefix + digits(rng, length - len(prefix) - 1))
    style = rng.randrange(4)
    if style == 0:
        return number
    if style == 1:
        return number.translate(WIDE)
    joint = " " if style == 2 else "-"
    if length == 15:
        return joint.join((number[:4], number[4:10], number[10:]))
    return joint.join(number[at : at + 4] for at in range(0, length, 4))


def cn_id(rng: random.Random) -> str:
    born = datetime.date(1950, 1, 1) + datetime.timedelta(days=rng.randrange(20_000))
    region = rng.choice(["110105", "310104", "440305", "510107", "620102"])
    body = f"{region}{born:%Y%m%d}{digits(rng, 3)}"
    total = sum(int(digit) * weight for digit, weight in zip(body, CN_WEIGHTS, strict=True))
    number = body + "10X98765432"[total % 11]
    style = rng.randrange(4)
    if style == 1:
        return number.lower()
    if style == 2:
        return f"{number[:6]} {number[6:14]} {number[14:]}"
    return number.translate(WIDE) if style == 3 else number


def phone(rng: random.Random) -> str:
    mobile = f"1{rng.choice(['38', '59', '77', '86', '99'])}{digits(rng, 8)}"
    local = f"{rng.randint(2, 9)}{digits(rng, 7)}"
    area = rng.choice(["212", "415", "312", "617"])
    line = f"{rng.randint(200, 899)}"
    return rng.choice(
        [
            mobile,
            mobile.translate(WIDE),
            f"+86 {mobile[:3]} {mobile[3:7]} {mobile[7:]}",
            f"+86-{mobile}",
            f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
            f"010-{local}",
            f"(021){local}",
            f"+1 ({area}) {line}-{digits(rng, 4)}",
            f"({area}) {line}-{digits(rng, 4)}",
            f"{area}.{line}.{digits(rng, 4)}",
            f"+44 20 7946 0{digits(rng, 3)}",
            f"+49 30 {rng.randint(2, 9)}{digits(rng, 6)}",
            f"090-{rng.randint(1000, 9999)}-{digits(rng, 4)}",
        ]
    )


def email(rng: random.Random) -> str:
    name = rng.choice(["ann", "li.wei", "o'brien", "jan_nowak", "x+list", "info-2", "ZHANG"])
    host = rng.choice(["example.com", "mail.example.org", "firma.de", "uni.edu.cn", "b-c.co.uk"])
    style = rng.randrange(5)
    if style == 0:
        return f"{name.replace(chr(39), '')} (at) {host.replace('.', ' (dot) ')}"
    if style == 1:
        return f"{name}＠{host}"
    return f"{name}{rng.randrange(100)}@{host}"


def ip_address(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))
    return f"{rng.choice([10, 172, 192, 203, 8])}." + ".".join(
        str(rng.randrange(10, 255)) for _ in range(3)
    )


def iban(rng: random.Random) -> str:
    country, length = rng.choice([("DE", 22), ("FR", 27), ("ES", 24), ("NL", 18)])
    body = "ABNA" + digits(rng, 10) if country == "NL" else digits(rng, length - 4)
    moved = "".join(str(int(character, 36)) for character in body + country + "00")
    number = f"{country}{98 - int(moved) % 97:02d}{body}"
    if rng.random() < 0.5:
        return number
    return " ".join(number[at : at + 4] for at in range(0, length, 4))


def secret_key(rng: random.Random) -> str:
    letters = string.ascii_letters + DIGITS
    return rng.choice(
        [
            "AKIA" + "".join(rng.choices(string.ascii_uppercase, k=16)),
            "ghp_" + "".join(rng.choices(letters, k=36)),
            "xoxb-" + digits(rng, 12) + "-" + "".join(rng.choices(letters, k=24)),
            "sk-" + "".join(rng.choices(letters, k=48)),
        ]
    )


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "EMAIL_ADDRESS": email,
    "PHONE_NUMBER": phone,
    "CN_ID_CARD": cn_id,
    "CREDIT_CARD": card,
    "IBAN_CODE": iban,
    "IP_ADDRESS": ip_address,
    "SECRET_KEY": secret_key,
}
FRAMES = {
    "EMAIL_ADDRESS": ["Write to {} today.", "请发邮件至{}，谢谢。", "<{}>", "メールは{}まで。"],
    "PHONE_NUMBER": [
        "Call me: {}.", "联系电话：{}。", "手机{}，随时联系", "Reach us at {}, any time", "Tel. {}",
    ],
    "CN_ID_CARD": ["身份证号{}，请核对。", "ID card {} was shown.", "证件：{}", "号码为 {} 的居民"],
    "CREDIT_CARD": ["银行卡号：{}。", "Charged to card {}.", "Visa {} expired", "付款卡 {} 已绑定"],
    "IBAN_CODE": ["IBAN {}.", "Pay to {} please", "账户{}。"],
    "IP_ADDRESS": ["from {} at night", "服务器地址{}。", "ping {} failed", "http://{}/x"],
    "SECRET_KEY": ["token={}", 'key: "{}"', "密钥 {} 已泄露"],
}  # fmt: skip


def wrong_card(rng: random.Random) -> str:
    number = with_luhn("4" + digits(rng, 14))
    return number[:-1] + str((int(number[-1]) + rng.randint(1, 9)) % 10)


def wrong_id(rng: random.Random) -> str:
    return f"110105{rng.randint(1950, 2005)}0230{digits(rng, 4)}"  # 30 February


def negatives(rng: random.Random) -> list[str]:
    """Texts that look like personal data and hold none."""
    mobile = f"138{digits(rng, 8)}"
    return [
        f"订单号：{mobile}，已发货。",
        f"Your order {mobile} has shipped.",
        f"快递单号 {mobile}",
        f"tracking number {digits(rng, 12)}",
        f"Card number {wrong_card(rng)} was refused.",
        f"身份证号{wrong_id(rng)}无效",
        f"Upgrade to version {rng.randint(1, 9)}.{rng.randint(10, 40)}.3.{rng.randint(10, 99)}.",
        f"See section 1.2.{rng.randint(1, 9)}.4 for details.",
        f"SHA {''.join(rng.choices('0123456789abcdef', k=40))}",
        f"A run of digits {digits(rng, 60)} ends.",
        f"timestamp {rng.randint(1_500_000_000_000, 1_800_000_000_000)}",
        f"In {rng.randint(1990, 2020)}-{rng.randint(2021, 2030)} it grew by {rng.randint(1, 99)}%.",
        f"ISBN 978-3-16-{digits(rng, 6)}-0",
        "The meeting is at 12:30:45 on 2024-05-17.",
        "Mention @someone, or see pkg@1.2.3 and user@localhost.",
        f"population {rng.randint(1, 9)},{digits(rng, 3)},{digits(rng, 3)}",
        f"uuid {digits(rng, 8)}-{digits(rng, 4)}-4{digits(rng, 3)}-8123-{digits(rng, 12)}",
        f"货号 {digits(rng, 13)}",
        "The mask is 255.255.255.0 and the loopback 127.0.0.1.",
        f"pi is 3.{digits(rng, 15)}",
    ]


def labelled_set(seed: int, per_entity: int = 60) -> list[Sample]:
    """`per_entity` samples of each entity, as many texts with several, and the hard negatives."""
    rng = random.Random(seed)
    samples = []
    for entity, make in MAKERS.items():
        for _ in range(per_entity):
            value = make(rng)
            frame = rng.choice(FRAMES[entity])
            if ":" in value and "//" in frame:
                frame = "from {} at night"  # an IPv6 address in a URL has brackets
            samples.append(Sample(frame.format(value), ((entity, value),)))
    for _ in range(per_entity):
        chosen = rng.sample(sorted(MAKERS), 3)
        made = [(entity, MAKERS[entity](rng)) for entity in chosen]
        lines = [FRAMES[entity][0].format(value) for entity, value in made]
        samples.append(Sample("\n".join(lines), tuple(made)))
    for _ in range(max(1, per_entity // 6)):
        samples += [Sample(text) for text in negatives(rng)]
    return samples
