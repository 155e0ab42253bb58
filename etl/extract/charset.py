"""Bytes of a web page into text, when the declared charset is missing or wrong.

The bytes are believed before the declaration: valid UTF-8 that is not plain ASCII is UTF-8
whatever the page says, and a declaration that does not decode the bytes is dropped. Sources: WHATWG
Encoding (labels), uchardet through resiliparse (detection).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_META = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{0,100}?encoding=[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_META_WINDOW = 4096
_NON_ASCII = re.compile(rb"[^\x00-\x7f]+(?:[\x40-\x7e][^\x00-\x7f]+)*")
_SAMPLE = 65536
# A page of these decodes under any byte sequence, so that decoding proves nothing.
_ALWAYS_DECODES = re.compile(r"^(iso8859-\d+|cp12\d\d|latin|koi8|mac-|cp437|cp850|cp866)")
_TOLERATED_DAMAGE = 0.01


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, the charset that gave it, and the share of characters that could not be decoded."""

    text: str
    charset: str
    damage: float


def _codec(label: str | None) -> str | None:
    """Python's codec for a WHATWG label (GBK and GB2312 are read as GB18030, as browsers do)."""
    if not label:
        return None
    from resiliparse.parse.encoding import map_encoding_to_html5

    try:
        name = codecs.lookup(map_encoding_to_html5(label, fallback_utf8=False) or label).name
        return name if codecs.lookup(name)._is_text_encoding else None
    except (LookupError, TypeError, ValueError, UnicodeError):
        return None


def declared_charset(data: bytes, content_type: str | None) -> str | None:
    """The codec that the Content-Type header names, else the one that the page names."""
    header = _HEADER.search(content_type) if content_type else None
    if header and (codec := _codec(header.group(1))):
        return codec
    meta = _META.search(data[:_META_WINDOW])
    if meta is None:
        return None
    codec = _codec((meta.group(1) or meta.group(2)).decode("ascii", "ignore"))
    # A tag that could be read as ASCII is not in UTF-16 (WHATWG HTML, "prescan").
    return "utf-8" if codec and codec.startswith(("utf-16", "utf-32")) else codec


def _detected(data: bytes) -> str | None:
    """uchardet's guess from the parts that are not ASCII, which markup would drown."""
    from resiliparse.parse.encoding import EncodingDetector

    sample = b" ".join(_NON_ASCII.findall(data[: 8 * _SAMPLE]))[:_SAMPLE]
    detector = EncodingDetector()
    detector.update(sample)
    return _codec(detector.encoding(html5_compatible=False))


def _decode(data: bytes, codec: str) -> Decoded:
    text = data.decode(codec, "replace")
    foreign = sum(map(len, _NON_ASCII.findall(data))) or 1
    return Decoded(text, codec, min(1.0, text.count("\ufffd") / foreign))


def decode(data: bytes, content_type: str | None = None) -> Decoded:
    """Decodes a page; never raises. `charset` is the codec that was right, declared or not."""
    for bom, codec in BOMS:
        if data.startswith(bom):
            return _decode(data[len(bom) :], codec)
    declared = declared_charset(data, content_type)
    if declared and declared.startswith("iso2022") and b"\x1b" in data:
        return _decode(data, declared)
    try:
        return Decoded(data.decode("utf-8"), "utf-8", 0.0)
    except UnicodeDecodeError:
        pass
    candidates: list[str | None] = [declared] if declared and declared != "utf-8" else []
    if candidates and not _ALWAYS_DECODES.match(candidates[0] or ""):
        found = _decode(data, candidates[0] or "")
        if found.damage <= _TOLERATED_DAMAGE:
            return found
    as_utf8 = _decode(data, "utf-8")
    if as_utf8.damage <= _TOLERATED_DAMAGE:
        return as_utf8
    candidates.insert(0, _detected(data))
    tried = [_decode(data, codec) for codec in candidates if codec]
    return min([*tried, as_utf8], key=lambda found: found.damage)
