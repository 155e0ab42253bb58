"""Presidio recognisers for text of any language. Import this module inside a worker only.

Presidio's own patterns are kept where they hold on multilingual text; where they lean on `\\b`,
which sees no boundary between a Chinese character and a digit, the pattern is replaced and the
validation kept. All work on normalised text (`etl.scrub.normalise`), in any language: they are
registered once, as "en".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
import tldextract
from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import (
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
)

from etl.scrub.checksums import is_card_number, is_cn_id_card
from etl.scrub.context import verdict

_NOT_AFTER = r"(?<![A-Za-z0-9])"
_NOT_BEFORE = r"(?![A-Za-z0-9])"
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
"""The list of public suffixes in the package: never fetched, never written."""


class MultilingualEmailRecognizer(EmailRecognizer):
    """RFC 5321 addresses, also beside Chinese text, and the spelling `name (at) host (dot) tld`."""

    PATTERNS = [  # noqa: RUF012  Presidio's own interface
        Pattern(
            "address",
            rf"(?<![A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.@-]){_LOCAL}(?:[.]?{_LOCAL}){{0,63}}"
            rf"@(?:{_LABEL}\.){{1,8}}[A-Za-z][A-Za-z0-9-]{{1,23}}(?![A-Za-z0-9@])",
            0.5,
        ),
        Pattern(
            "spelt out",
            rf"{_NOT_AFTER}[A-Za-z0-9](?:[._+-]?[A-Za-z0-9]){{0,63}}\s?[\[({{]\s?at\s?[\])}}]\s?"
            rf"{_LABEL}(?:\s?(?:\.|[\[({{]\s?dot\s?[\])}}])\s?{_LABEL}){{1,4}}{_NOT_BEFORE}",
            0.5,
        ),
    ]

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain ends in a public suffix."""
        plain = re.sub(r"\s?[\[({]\s?at\s?[\])}]\s?", "@", pattern_text, flags=re.IGNORECASE)
        plain = re.sub(r"\s?[\[({]\s?dot\s?[\])}]\s?", ".", plain, flags=re.IGNORECASE)
        found = _SUFFIXES(plain.rpartition("@")[2].replace(" ", ""))
        return bool(found.domain and found.suffix)


_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"


class ContextIpRecognizer(IpRecognizer):
    """Addresses, but no version numbers, netmasks, loopback or unspecified addresses.

    A quad after "version" or "section" is none, and a quad of single digits (1.2.3.4) only where
    a word such as "IP" or "server" says so.
    """

    PATTERNS = [  # noqa: RUF012  Presidio's own interface
        Pattern(
            "IPv4",
            rf"(?<![A-Za-z0-9_.:/-])(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d))?"
            r"(?![A-Za-z0-9_-])(?!\.\d)",
            0.6,
        ),
        Pattern(
            "IPv4 in a URL",
            rf"(?<=://)(?:{_OCTET}\.){{3}}{_OCTET}(?![A-Za-z0-9_-])(?!\.\d)",
            0.6,
        ),
        *(  # Presidio's, but a Chinese character beside it is no part of the address
            Pattern(pattern.name, pattern.regex.replace(r"[\w:]", "[A-Za-z0-9_:]"), pattern.score)
            for pattern in IpRecognizer.PATTERNS
            if pattern.name == "IPv6"
        ),
    ]

    def invalidate_result(self, pattern_text: str) -> bool:
        """Whether it is no address, or one that belongs to nobody."""
        import ipaddress

        try:
            address = ipaddress.ip_interface(pattern_text).ip
        except ValueError:
            return True
        mask = pattern_text.startswith("255.")
        return address.is_loopback or address.is_unspecified or address.is_multicast or mask

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Presidio's findings without those that the words before them explain otherwise."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        return [result for result in found if self._believed(text, result)]

    @staticmethod
    def _believed(text: str, result: RecognizerResult) -> bool:
        said = verdict("IP_ADDRESS", text, result.start)
        value = text[result.start : result.end]
        if ":" in value:  # 12:30:45:10 is a time; an address has "::" or eight groups
            return value.count(":") >= 7 or ("::" in value and len(value.strip(":")) > 3)
        digits_only = all(len(part) == 1 for part in value.split("/")[0].split("."))
        return said > 0 or (said == 0 and not digits_only)


class ContextPatternRecognizer(PatternRecognizer):
    """A pattern with a validation, whose score the words before the match raise or lower."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Findings; those that the context speaks against score a third."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        for result in found:
            if verdict(result.entity_type, text, result.start) < 0:
                result.score = round(result.score / 3, 2)
        return list(found)


class CardRecognizer(ContextPatternRecognizer):
    """Bank cards of 13 to 19 digits: an issuer's range, Luhn, one kind of separator."""

    def __init__(self) -> None:
        pattern = Pattern(
            "card",
            r"(?<![A-Za-z0-9_.])(?<!\d-)(?<!\d{4} \d{4} )(?:\d{13,19}"
            r"|\d{4}(?:-\d{4}){3}(?:-\d{1,3})?|\d{4}(?: \d{4}){3}(?: \d{1,3})?"
            r"|\d{4}([ -])\d{6}\1\d{4,5}|\d{6} \d{10,13})"
            r"(?![A-Za-z0-9_])(?!-\d)(?!\.\d)",
            0.4,
        )
        super().__init__(supported_entity="CREDIT_CARD", patterns=[pattern])

    def validate_result(self, pattern_text: str) -> bool:
        """Whether an issuer may have given out this number."""
        return is_card_number(re.sub(r"\D", "", pattern_text))


class ChineseIdCardRecognizer(PatternRecognizer):
    """Resident identity numbers (GB 11643): province, date of birth, ISO 7064 MOD 11-2."""

    def __init__(self) -> None:
        pattern = Pattern(
            "identity number",
            r"(?<![A-Za-z0-9_])\d{6}([ -]?)(?:18|19|20)\d{6}\1\d{3}[\dXx](?![A-Za-z0-9_])",
            0.4,
        )
        super().__init__(supported_entity="CN_ID_CARD", patterns=[pattern])

    def validate_result(self, pattern_text: str) -> bool:
        """Whether province, date and check digit hold."""
        return is_cn_id_card(re.sub(r"[ -]", "", pattern_text))


class CaseSensitiveIbanRecognizer(IbanRecognizer):
    """ISO 13616, by Presidio: country formats and the MOD 97 check."""

    PATTERNS = [  # noqa: RUF012  Presidio's own interface
        Pattern(
            "IBAN",
            r"(?<![A-Za-z0-9])([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,6})"
            r"((?:[ -]?[A-Z0-9]{4})?)((?:[ -]?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])",
            0.5,
        ),
    ]


class SecretKeyRecognizer(PatternRecognizer):
    """Credentials with a published prefix (AWS, GitHub, Slack, Stripe...), JWT, private keys."""

    def __init__(self) -> None:
        shapes = (
            r"(?:AKIA|ASIA)[A-Z0-9]{16}",
            r"gh[pousr]_[A-Za-z0-9]{36,255}",
            r"github_pat_[A-Za-z0-9_]{22,255}",
            r"glpat-[A-Za-z0-9_-]{20,64}",
            r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",
            r"sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,250}",
            r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}",
            r"AIza[A-Za-z0-9_-]{35}",
            r"hf_[A-Za-z0-9]{30,40}",
            r"npm_[A-Za-z0-9]{36}",
            r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,1000}",
        )
        patterns = [
            Pattern(
                "token", rf"(?<![A-Za-z0-9_-])(?:{'|'.join(shapes)})(?![A-Za-z0-9_-])", 0.9
            ),
            Pattern(
                "secret after its name",
                r"(?<=aws_secret_access_key)\s?[=:]\s?[\"']?[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=])",
                0.9,
            ),
            Pattern(
                "private key",
                r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,12000}"
                r"-----END (?:[A-Z]+ ){0,3}PRIVATE KEY-----",
                1.0,
            ),
        ]  # fmt: skip
        super().__init__(
            supported_entity="SECRET_KEY",
            patterns=patterns,
            global_regex_flags=int(re.MULTILINE),
        )


class PassportRecognizer(PatternRecognizer):
    """One or two letters and seven or eight digits, only after a word for passport."""

    def __init__(self) -> None:
        pattern = Pattern("passport", rf"{_NOT_AFTER}[A-Z]{{1,2}}\d{{7,8}}{_NOT_BEFORE}", 0.7)
        super().__init__(
            supported_entity="PASSPORT", patterns=[pattern], global_regex_flags=int(re.MULTILINE)
        )

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Findings that follow the word."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        return [result for result in found if verdict("PASSPORT", text, result.start) > 0]


_EDGE = r"(?<![A-Za-z0-9_/@#.=+-])"
_END = r"(?![A-Za-z0-9_@])(?![-/]\d)(?!\.\d)"


class InternationalPhoneRecognizer(LocalRecognizer):
    """Phone numbers by shape, then by libphonenumber, then by the words before them.

    International (`+86 138 0013 8000`), Chinese mobile and landline, and national numbers written
    as such (`(415) 555-2671`, `03-1234-5678`). A bare national number counts only after a word for
    phone. libphonenumber's own matcher is not used on whole texts: it is what is slow in Presidio's
    recogniser.
    """

    REGIONS = ("US", "GB", "CN", "JP", "KR", "DE", "FR", "ES", "IT", "IN", "BR", "RU", "TH", "VN")
    SHAPES = (
        ("", rf"(?<![A-Za-z0-9_+.])(?:\+|00)[1-9]\d{{0,2}}(?:[ .-]?\(?\d{{1,5}}\)?){{2,6}}{_END}"),
        ("CN", rf"{_EDGE}(?:\(?86\)?[ -]?)?1[3-9]\d([ -]?)\d{{4}}\1\d{{4}}{_END}"),
        ("CN", rf"{_EDGE}1[3-9]\d[ -]\d{{3}}[ -]\d{{5}}{_END}"),
        ("CN", rf"(?<![A-Za-z0-9_/.-])\(?0(?:10|2\d|[3-9]\d{{2}})[)-][ ]?[2-9]\d{{6,7}}{_END}"),
        ("US", rf"(?<![A-Za-z0-9_/.-])(?:1[ .-])?\([2-9]\d\d\)[ .-]?[2-9]\d\d[ .-]\d{{4}}{_END}"),
        ("US", rf"{_EDGE}(?:1[ .-])?[2-9]\d\d([.-])[2-9]\d\d\1\d{{4}}{_END}"),
        ("*", rf"{_EDGE}0\d{{1,4}}(?:[ -]\d{{2,5}}){{2,4}}{_END}"),
    )
    """(region, shape): "" is international, "*" any of REGIONS."""
    BARE = rf"(?<![A-Za-z0-9_.@+-])\(?\d(?:[ .()-]{{0,2}}\d){{6,12}}{_END}"
    # `+44 7700 900123` is written as only phone numbers are, whether or not the range is in use;
    # `+12 500 000` are thousands.
    GROUPED = r"(?!\+\d{1,3}(?:[ .]\d{3})+$)\+\d{1,3}(?:[ .-]\(?\d{1,8}\)?){2,6}"
    WRITTEN, NAMED = 0.7, 0.85

    def __init__(self) -> None:
        self._shapes = [(region, re.compile(shape)) for region, shape in self.SHAPES]
        self._bare = re.compile(self.BARE)
        self._grouped = re.compile(self.GROUPED)
        super().__init__(supported_entities=["PHONE_NUMBER"], supported_language="en")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Every phone number in normalised `text`; overlapping finds are told apart by score."""
        del nlp_artifacts  # there is no language model
        if "PHONE_NUMBER" not in entities:
            return []
        return [
            RecognizerResult("PHONE_NUMBER", start, end, score)
            for start, end, score in self._numbers(text)
        ]

    def _numbers(self, text: str) -> Iterator[tuple[int, int, float]]:
        for region, shape in self._shapes:
            for match in shape.finditer(text):
                said = verdict("PHONE_NUMBER", text, match.start())
                international = region == ""
                grouped = said == 0 and self._grouped.fullmatch(match[0]) is not None
                if (said >= 0 or international) and self._dials(
                    match[0], region, said > 0 or grouped
                ):
                    yield *match.span(), self.NAMED if said > 0 else self.WRITTEN
        for match in self._bare.finditer(text):
            if verdict("PHONE_NUMBER", text, match.start()) > 0 and self._dials(
                match[0], "*", True
            ):
                yield *match.span(), self.NAMED

    def _dials(self, number: str, region: str, named: bool) -> bool:
        """Whether libphonenumber takes it: as valid, or as possible where it is `named` a phone."""
        if region == "" and number.startswith("00"):
            number = "+" + number[2:]
        regions = self.REGIONS if region == "*" else (region or None,)
        for candidate in regions:
            try:
                parsed = phonenumbers.parse(number, candidate)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(parsed):
                return True
            if named and region == "" and phonenumbers.is_possible_number(parsed):
                return True
        return False


def recognisers() -> list[LocalRecognizer]:
    """One of each, for a registry."""
    return [
        MultilingualEmailRecognizer(),
        InternationalPhoneRecognizer(),
        ChineseIdCardRecognizer(),
        CardRecognizer(),
        CaseSensitiveIbanRecognizer(),
        ContextIpRecognizer(),
        SecretKeyRecognizer(),
        PassportRecognizer(),
    ]
