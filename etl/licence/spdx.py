"""Licence links, names and expressions as SPDX ids.

The list of ids is the one of spdx.org/licenses that `license-expression` carries.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from schemas.identity import UNKNOWN_LICENCE

if TYPE_CHECKING:
    from license_expression import Licensing

ALL_RIGHTS_RESERVED = "LicenseRef-all-rights-reserved"

_CC_URL = re.compile(
    r"creativecommons\.org/licen[sc]es/(by(?:-nc)?(?:-nd|-sa)?)(?:/(\d\.\d))?(?:/([a-z]{2,3}))?(?=[/?#.\s\"']|$)",
    re.IGNORECASE,
)
_CC_PUBLIC_DOMAIN = re.compile(
    r"creativecommons\.org/(?:publicdomain/(zero|mark)/1\.0|licenses/(publicdomain))", re.IGNORECASE
)
_CC_TEXT = re.compile(r"\bCC[ -]?(BY(?:-NC)?(?:-ND|-SA)?|0)(?:[ -]?(\d\.\d))?\b", re.IGNORECASE)
_CC_NAMES = re.compile(
    r"Creative Commons (?:Namensnennung|Attribution|Atribución|Atribuição|Paternité|Attribuzione)"
    r"((?:[ -]{1,3}(?:Non[ -]?Commercial|No[ -]?Deriv(?:ative)?s(?: Works)?|Share[ -]?Alike))*)"
    r"(?: (\d\.\d))?",
    re.IGNORECASE,
)
# Jurisdiction ports that have an id of their own; any other port is named by its base licence.
_PORTS = frozenset(
    {
        "BY-2.5-AU", "BY-3.0-AT", "BY-3.0-AU", "BY-3.0-DE", "BY-3.0-IGO", "BY-3.0-NL",
        "BY-3.0-US", "BY-NC-3.0-DE", "BY-NC-ND-3.0-DE", "BY-NC-ND-3.0-IGO", "BY-NC-SA-2.0-DE",
        "BY-NC-SA-2.0-FR", "BY-NC-SA-2.0-UK", "BY-NC-SA-3.0-DE", "BY-NC-SA-3.0-IGO",
        "BY-ND-3.0-DE", "BY-SA-2.0-UK", "BY-SA-2.1-JP", "BY-SA-3.0-AT", "BY-SA-3.0-DE",
        "BY-SA-3.0-IGO",
    }
)  # fmt: skip
_OTHER_URLS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), spdx)
    for pattern, spdx in (
        (r"gnu\.org/(?:licenses|copyleft)/fdl", "GFDL-1.3-or-later"),
        (r"gnu\.org/licenses/(?:agpl)", "AGPL-3.0-or-later"),
        (r"gnu\.org/licenses/(?:gpl-3|gpl\.html)", "GPL-3.0-or-later"),
        (r"apache\.org/licenses/LICENSE-2\.0", "Apache-2.0"),
        (r"opensource\.org/licen[sc]es?/mit", "MIT"),
        (r"nationalarchives\.gov\.uk/doc/open-government-licence/version/([123])", "OGL-UK-{}.0"),
        (r"open-licence/version/2|etalab\.gouv\.fr/.*licence-ouverte", "etalab-2.0"),
        (r"govdata\.de/dl-de/by-2-0", "DL-DE-BY-2.0"),
    )
)
_FIELD_LENGTH = 300
_CHOICES = 32
# Names in use by platforms and dataset cards that neither the list nor a phrase explains.
_NAMES = {
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "gfdl": "GFDL-1.3-or-later",
    "public domain": "LicenseRef-public-domain",
    "publicdomain": "LicenseRef-public-domain",
}
_NOTHING = frozenset({"", "unknown", "other", "none", "null", "n/a", "na", "noassertion", "-"})
_RESERVED = (
    "all rights reserved",
    "all right reserved",
    "alle rechte vorbehalten",
    "tous droits réservés",
    "todos los derechos reservados",
    "todos os direitos reservados",
    "tutti i diritti riservati",
    "tutti i diritti sono riservati",
    "alle rechten voorbehouden",
    "wszelkie prawa zastrzeżone",
    "все права защищены",
    "всі права захищено",
    "tüm hakları saklıdır",
    "版权所有",
    "版權所有",
    "保留所有权利",
    "保留一切权利",
    "保留所有權利",
    "無断転載",
    "全著作権所有",
    "모든 권리 보유",
    "무단 전재",
    "무단전재",
    "جميع الحقوق محفوظة",
    "כל הזכויות שמורות",
    "सर्वाधिकार सुरक्षित",
    "สงวนลิขสิทธิ์",
    "mọi quyền được bảo lưu",
    "hak cipta dilindungi",
    "haki zote zimehifadhiwa",
)


def spdx_from_url(url: str) -> str | None:
    """The SPDX id that a licence URL stands for, or None when it is no licence that is known."""
    if found := _CC_URL.search(url):
        return _creative_commons(*found.groups())
    if found := _CC_PUBLIC_DOMAIN.search(url):
        return "CC0-1.0" if (found.group(1) or "").lower() == "zero" else "CC-PDM-1.0"
    for pattern, spdx in _OTHER_URLS:
        if found := pattern.search(url):
            return spdx.format(*found.groups())
    return None


def spdx_from_text(text: str) -> str | None:
    """The SPDX id that a phrase names ("CC BY-SA 4.0", "All rights reserved"), or None."""
    if by_url := spdx_from_url(text):
        return by_url
    if found := _CC_TEXT.search(text):
        kind, version = found.groups()
        return "CC0-1.0" if kind == "0" else _creative_commons(kind, version, None)
    if found := _CC_NAMES.search(text):
        words = found.group(1).lower().replace("-", "").replace(" ", "")
        kind = "BY" + "".join(
            suffix
            for word, suffix in (("noncom", "-NC"), ("noderiv", "-ND"), ("sharealike", "-SA"))
            if word in words
        )
        return _creative_commons(kind, found.group(2), None)
    return ALL_RIGHTS_RESERVED if says_all_rights_reserved(text) else None


def says_all_rights_reserved(text: str) -> bool:
    """Whether the text reserves all rights, in any of the languages known here."""
    folded = text.lower()
    return any(phrase in folded for phrase in _RESERVED)


def restrictiveness(spdx: str) -> int:
    """An order by which the stricter of two statements is believed."""
    if spdx == UNKNOWN_LICENCE:
        return 0
    if spdx == ALL_RIGHTS_RESERVED:
        return 11
    parts = set(spdx.removeprefix("LicenseRef-").split("-"))
    if not parts & {"BY", "ND", "NC"}:
        if spdx.startswith("LicenseRef-") and not parts & {"CC", "public"}:
            return 10  # terms that nobody has looked at
        return 1 if parts & {"CC0", "PDM", "0", "PDDL"} else 3
    return 2 + 4 * ("ND" in parts) + 2 * ("NC" in parts) + ("SA" in parts)


def normalised(value: str | None) -> str:
    """What a licence field says (`cc-by-sa-4.0`, `MIT License`, a URL, an SPDX expression) as an
    SPDX expression, a `LicenseRef-`, or `unknown` when it says nothing."""
    text = " ".join((value or "").split())[:_FIELD_LENGTH]
    if text.lower() in _NOTHING:
        return UNKNOWN_LICENCE
    if expression := _expression(text):
        return expression
    if named := _NAMES.get(text.lower()) or spdx_from_text(text):
        return named
    if expression := _expression(re.sub(r"(?i)^the | licen[sc]e$", "", text)):
        return expression
    return "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:64] or "other")


def alternatives(licence: str) -> list[list[str]]:
    """An SPDX expression as choices (OR) of ids that bind together (AND).

    An exception (WITH) widens its licence and is left out. What is no expression stands for itself.
    """
    if " " not in licence:
        return [[licence]]
    try:
        parsed = _licensing().parse(licence)
    except Exception:
        return [[licence]]
    return _choices(parsed)[:_CHOICES] if parsed is not None else [[licence]]


def is_spdx(licence: str) -> bool:
    """Whether each id of the expression is on the SPDX list."""
    known = _licensing().known_symbols
    return all(one in known for choice in alternatives(licence) for one in choice) and (
        "LicenseRef-" not in licence
    )


@functools.cache
def _licensing() -> Licensing:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _choices(node: Any) -> list[list[str]]:
    from license_expression import LicenseWithExceptionSymbol

    if not getattr(node, "args", ()):
        symbol = node.license_symbol if isinstance(node, LicenseWithExceptionSymbol) else node
        return [[str(symbol.key)]]
    parts = [_choices(argument) for argument in node.args]
    if node.operator.strip() == "OR":
        return [choice for part in parts for choice in part]
    both: list[list[str]] = [[]]
    for part in parts:
        both = [[*left, *right] for left in both for right in part][:_CHOICES]
    return both


def _expression(text: str) -> str | None:
    """`text` as an SPDX expression in the list's spelling, or None. Old names (GPL-2.0) too."""
    try:
        # A name that is unknown to the list must not pass, and neither must a deep expression.
        if (
            text.count("(") > _CHOICES
            or (parsed := _licensing().parse(text, validate=True)) is None
        ):
            return None
    except Exception:
        return text if re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]{1,80}", text) else None
    return str(parsed.render())


def _creative_commons(kind: str, version: str | None, port: str | None) -> str:
    kind = kind.upper()
    if version is None:
        # Without a version there is no SPDX id; the terms are still known.
        return f"LicenseRef-CC-{kind}"
    base = f"{kind}-{version}"
    ported = f"{base}-{port.upper()}" if port else base
    return f"CC-{ported if ported in _PORTS else base}"
