"""lid.176's labels (Wikipedia codes) as ISO 639-3, and the scripts of languages that have several.

A Wikipedia code of a macrolanguage is named by the individual language that its Wikipedia is
written in (`ar` is Standard Arabic `arb`), as FLORES-200 does.
Sources: iso639-3.sil.org; fasttext.cc/docs/en/language-identification.html; Unicode blocks.
"""

from __future__ import annotations

import functools
import re

_THREE_LETTERS = {
    "af": "afr", "als": "gsw", "am": "amh", "an": "arg", "ar": "arb", "as": "asm", "av": "ava",
    "az": "azj", "ba": "bak", "be": "bel", "bg": "bul", "bh": "bho", "bn": "ben", "bo": "bod",
    "br": "bre", "bs": "bos", "ca": "cat", "ce": "che", "co": "cos", "cs": "ces", "cv": "chv",
    "cy": "cym", "da": "dan", "de": "deu", "dv": "div", "el": "ell", "en": "eng", "eo": "epo",
    "es": "spa", "et": "ekk", "eu": "eus", "fa": "pes", "fi": "fin", "fr": "fra", "fy": "fry",
    "ga": "gle", "gd": "gla", "gl": "glg", "gn": "gug", "gu": "guj", "gv": "glv", "he": "heb",
    "hi": "hin", "hr": "hrv", "ht": "hat", "hu": "hun", "hy": "hye", "ia": "ina", "id": "ind",
    "ie": "ile", "io": "ido", "is": "isl", "it": "ita", "ja": "jpn", "jv": "jav", "ka": "kat",
    "kk": "kaz", "km": "khm", "kn": "kan", "ko": "kor", "ku": "kmr", "kv": "kpv", "kw": "cor",
    "ky": "kir", "la": "lat", "lb": "ltz", "li": "lim", "lo": "lao", "lt": "lit", "lv": "lvs",
    "mg": "plt", "mk": "mkd", "ml": "mal", "mn": "khk", "mr": "mar", "ms": "zsm", "mt": "mlt",
    "my": "mya", "nah": "nhn", "ne": "npi", "nl": "nld", "nn": "nno", "no": "nob", "oc": "oci",
    "or": "ory", "os": "oss", "pa": "pan", "pl": "pol", "ps": "pbt", "pt": "por", "qu": "quy",
    "rm": "roh", "ro": "ron", "ru": "rus", "sa": "san", "sc": "srd", "sd": "snd", "sh": "hbs",
    "si": "sin", "sk": "slk", "sl": "slv", "so": "som", "sq": "als", "sr": "srp", "su": "sun",
    "sv": "swe", "sw": "swh", "ta": "tam", "te": "tel", "tg": "tgk", "th": "tha", "tk": "tuk",
    "tl": "tgl", "tr": "tur", "tt": "tat", "ug": "uig", "uk": "ukr", "ur": "urd", "uz": "uzn",
    "vi": "vie", "vo": "vol", "wa": "wln", "yi": "ydd", "yo": "yor", "zh": "cmn",
}  # fmt: skip

CHINESE = frozenset({"cmn", "yue", "wuu"})
_SCRIPTS = {
    "Latn": "A-Za-zÀ-ÖØ-öø-ɏ",
    "Cyrl": "\u0400-\u052f",
    "Arab": "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff",
    "Deva": "\u0900-\u097f",
    "Guru": "\u0a00-\u0a7f",
    "Mong": "\u1800-\u18af",
}
_WRITTEN_IN = {
    "azj": ("Latn", "Cyrl"),
    "bos": ("Latn", "Cyrl"),
    "hbs": ("Latn", "Cyrl"),
    "kaz": ("Cyrl", "Latn"),
    "khk": ("Cyrl", "Mong"),
    "kir": ("Cyrl", "Latn"),
    "kmr": ("Latn", "Cyrl", "Arab"),
    "pan": ("Guru", "Arab"),
    "snd": ("Arab", "Deva"),
    "srp": ("Cyrl", "Latn"),
    "tat": ("Cyrl", "Latn"),
    "tgk": ("Cyrl", "Latn"),
    "tuk": ("Latn", "Cyrl"),
    "uig": ("Arab", "Cyrl", "Latn"),
    "uzn": ("Latn", "Cyrl"),
}
_PATTERNS = {script: re.compile(f"[{block}]") for script, block in _SCRIPTS.items()}


def iso639_3(label: str) -> str:
    """ISO 639-3 of a lid.176 label, with or without `__label__`; `und` if it is not known."""
    code = label.removeprefix("__label__")
    known = _THREE_LETTERS.get(code, code)
    return known if len(known) == 3 else "und"


_REGIONS = {"tw": "Hant", "hk": "Hant", "mo": "Hant", "cn": "Hans", "sg": "Hans"}


def is_written_variously(language: str) -> bool:
    """Whether the language's script belongs to its name here."""
    return language in CHINESE or language in _WRITTEN_IN


def split_tag(tag: str, script: str = "") -> tuple[str, str]:
    """A corpus' own code as ISO 639-3, and the script that `script` or the tag names, where the
    language has several: `en`, `eng` and `en-US` are (`eng`, ""), `zh-TW` is (`cmn`, `Hant`).
    `und` for what is no code."""
    first, *rest = re.split(r"[-_]", tag.strip(), maxsplit=3)
    first = first.lower()
    language = first if len(first) == 3 else iso639_3(first)
    if not re.fullmatch("[a-z]{3}", language):
        return "und", ""
    if not is_written_variously(language):
        return language, ""
    subtags = [part for part in rest if len(part) == 4] + [
        _REGIONS.get(p.lower(), "") for p in rest
    ]
    named = (one.title() for one in (script, *subtags) if re.fullmatch("[A-Za-z]{4}", one))
    return language, next(named, "")


@functools.cache
def _chinese_only() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Characters that only Simplified or only Traditional text uses.

    GB 2312 holds the simplified characters in use, Big5 the traditional ones: what is in one of
    them alone tells them apart, without a table of our own.
    """
    simplified: list[str] = []
    traditional: list[str] = []
    for point in range(0x4E00, 0xA000):
        char = chr(point)
        in_gb, in_big5 = _encodes(char, "gb2312"), _encodes(char, "big5")
        if in_gb != in_big5:
            (simplified if in_gb else traditional).append(char)
    return re.compile(f"[{''.join(simplified)}]"), re.compile(f"[{''.join(traditional)}]")


def _encodes(char: str, codec: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def script_of(language: str, text: str) -> str:
    """The ISO 15924 script of `text`, if `language` is written in several; else an empty string."""
    if language in CHINESE:
        simplified, traditional = (len(p.findall(text)) for p in _chinese_only())
        return "Hant" if traditional > simplified else "Hans"
    scripts = _WRITTEN_IN.get(language, ())
    counts = {script: len(_PATTERNS[script].findall(text)) for script in scripts}
    return max(counts, key=lambda script: counts[script]) if counts else ""


def with_script(language: str, text: str) -> str:
    """`cmn` becomes `cmn_Hans` or `cmn_Hant`, `srp` becomes `srp_Cyrl` or `srp_Latn`..."""
    script = script_of(language, text)
    return f"{language}_{script}" if script else language
