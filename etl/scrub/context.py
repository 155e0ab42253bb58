"""What the words before a number say it is. The nearest word wins."""

from __future__ import annotations

import re

from etl.scrub.normalise import BARRIER

REACH = 40
"""Characters before a finding that are looked at; less where a line or a masked piece ends."""

_PHONE = (
    r"tel|telephone|phone|mobile|cell|cellphone|call|dial|fax|whatsapp|hotline|contact|sms|"
    r"telefon|telefono|teléfono|téléphone|telefone|celular|móvil|portable|handy|mobil|rufnummer|"
    r"тел|телефон|電話|携帯|电话|手机|手機|联系方式|联系|致电|拨打|传真|热线|座机|来电|"
    r"전화|휴대폰|연락처|โทร|เบอร์|điện thoại|هاتف|جوال|फ़ोन|फोन|मोबाइल"
)
_CARD = (
    r"card|credit|debit|visa|mastercard|amex|unionpay|银行卡|信用卡|储蓄卡|借记卡|卡号|账号|"
    r"カード|카드|karte|carte|tarjeta|cartão|карта"
)
_IP = (
    r"ip|ipv4|ipv6|host|server|address|addr|gateway|dns|ping|router|login|client|"
    r"地址|主机|服务器|登录|来源|アドレス|서버"
)
_PASSPORT = r"passport|护照|護照|パスポート|여권|reisepass|passeport|pasaporte|паспорт"
_NOT_A_NUMBER_TO_MASK = (
    r"order|invoice|tracking|parcel|shipment|serial|sku|isbn|issn|ean|upc|ref|reference|ticket|"
    r"batch|lot|case|item|part|model|article|doi|id|uid|uuid|timestamp|epoch|build|commit|sample|"
    r"population|version|"
    r"订单|订单号|单号|编号|流水|快递|批次|序列号|货号|型号|条码|版本|工单|物流|运单|发票|"
    r"注文|受注|伝票|주문|送り状|bestellung|bestellnummer|rechnung|commande|facture|pedido|заказ"
)
_VERSION = (
    r"v|ver|version|versions|release|build|firmware|driver|upgrade|rev|revision|section|chapter|"
    r"clause|article|figure|table|oid|版本|章节|バージョン|버전|versión|версия|"
    # Right before the number only: 第一天 is a day, 春节 a feast.
    r"章\s*$|节\s*$|第\s*$"
)


def _words(pattern: str) -> re.Pattern[str]:
    """Words in scripts with spaces must stand alone; in others they may stand anywhere."""
    alone = [word for word in pattern.split("|") if word[0].isascii() or ord(word[0]) < 0x0E00]
    inside = [word for word in pattern.split("|") if word not in alone]
    parts = [rf"(?<![^\W_])(?:{'|'.join(alone)})s?(?![^\W\d_])"] if alone else []
    parts += inside
    return re.compile("|".join(parts), re.IGNORECASE)


POSITIVE = {
    "PHONE_NUMBER": _words(_PHONE),
    "CREDIT_CARD": _words(_CARD),
    "IP_ADDRESS": _words(_IP),
    "PASSPORT": _words(_PASSPORT),
}
NEGATIVE = {
    "PHONE_NUMBER": _words(_NOT_A_NUMBER_TO_MASK),
    "CREDIT_CARD": _words(_NOT_A_NUMBER_TO_MASK),
    "IP_ADDRESS": _words(_VERSION),
    "PASSPORT": _words(_NOT_A_NUMBER_TO_MASK),
}


def before(text: str, start: int) -> str:
    """The words before `start`: at most `REACH` characters, of the same line, after a barrier."""
    reached = text[max(0, start - REACH) : start]
    return reached[max(reached.rfind("\n"), reached.rfind(BARRIER)) + 1 :]


def _last(pattern: re.Pattern[str] | None, words: str) -> int:
    return max((match.end() for match in pattern.finditer(words)), default=-1) if pattern else -1


def verdict(entity: str, text: str, start: int) -> int:
    """1 when the nearest telling word speaks for `entity`, -1 when against it, 0 without one."""
    words = before(text, start)
    for_it = _last(POSITIVE.get(entity), words)
    against = _last(NEGATIVE.get(entity), words)
    return 0 if for_it == against else (1 if for_it > against else -1)
