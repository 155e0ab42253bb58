"""Dataset cards: what a corpus says of itself (licence, citation, configurations), read with care.

A card is a README.md that begins with YAML between two lines of `---`, as the Hugging Face Hub
keeps it (huggingface.co/docs/hub/datasets-cards, datasets-manual-configuration), or a YAML file of
the same keys. It comes from strangers: its size, depth and number of nodes are bounded, aliases
(which multiply) are refused, and no markup of it is kept.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from etl.licence.evidence import Evidence
from etl.licence.spdx import normalised
from etl.storage.files import S3File
from schemas.errors import InputError
from schemas.identity import UNKNOWN_LICENCE

CARD_NAME = "README.md"
_CITATION_NAME = "CITATION.cff"
_MOST_BYTES = 4 << 20  # FineWeb2's card lists 1,900 configurations
_MOST_NODES, _MOST_DEPTH = 200_000, 32
_CITATION_BYTES = 8_000
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.{0,200}?)[ \t#]*$", re.MULTILINE)
_CITING = re.compile(r"\bcit(?:ation|ing|e)\b", re.IGNORECASE)
_BIBTEX = re.compile(r"@[A-Za-z]{3,20}\s*\{\s*[^\s,{}]{1,100}\s*,")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)\w*[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_MISSING = re.compile(r"\[?more information needed\]?|\[needs more information\]|^tbd\W*$",
                      re.IGNORECASE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """`licence` is an SPDX id of what `said` says, `unknown` without any; `configs` is the card's
    list of configurations as it stands there. `file` is empty when there is no card."""

    name: str = ""
    licence: str = UNKNOWN_LICENCE
    said: str = ""
    citation: str = ""
    file: str = ""
    sha256: str = ""
    configs: Any = None

    @property
    def evidence(self) -> Evidence:
        return Evidence("dataset_card", self.licence, self.said, self.file or "--licence")

    def facts(self) -> dict[str, str | None]:
        """What goes into `_card.json` and into the report."""
        return {
            "name": self.name or None,
            "licence": self.licence,
            "licence_stated": self.said,
            "citation": self.citation,
            "card": self.file or None,
            "card_sha256": self.sha256 or None,
        }


def read_card(place: Path | S3File) -> Card:
    """The card in a file. Raises `InputError` when it cannot be read or is no card."""
    data = _bounded(place)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"card {place}: is not UTF-8; convert it") from None
    front, body = _parts(text, place)
    settings = _settings(front, place) if front else {}
    licence, said = _licence(settings, place)
    return Card(
        name=_line(settings.get("pretty_name")),
        licence=licence,
        said=said,
        citation=_citation(settings, body) or _citation_file(place),
        file=str(place),
        sha256=hashlib.sha256(data).hexdigest(),
        configs=settings.get("configs"),
    )


def required(card: Card, licence: str, citation: str) -> Card:
    """The card with what the user states in its place; raises `InputError` when it says neither."""
    from dataclasses import replace

    if licence:
        card = replace(card, licence=normalised(licence), said=_line(licence))
    if citation:
        card = replace(card, citation=citation.strip()[:_CITATION_BYTES])
    where = f"card {card.file}" if card.file else f"no {CARD_NAME} beside the data"
    if card.licence == UNKNOWN_LICENCE:
        raise InputError(
            f"{where}: states no licence; add `license: ID` to its first lines (for `other`, "
            "license_name too), or give --licence ID (LicenseRef-NAME for terms without an id)"
        )
    if not card.citation:
        raise InputError(
            f"{where}: has no citation; add a section `Citation` or a {_CITATION_NAME} beside it, "
            "or give --citation TEXT"
        )
    return card


def _bounded(place: Path | S3File) -> bytes:
    try:
        with place.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"card {place}: {error.strerror}; check --card") from None
    if len(data) > _MOST_BYTES:
        raise InputError(f"card {place}: more than {_MOST_BYTES} bytes; it is no dataset card")
    return data


def _parts(text: str, place: Path | S3File) -> tuple[str, str]:
    """The YAML at the front of a card, and its text."""
    if place.name.lower().endswith((".yaml", ".yml")):
        return text, ""
    found = _FRONT.match(text)
    return (found.group(1), text[found.end() :]) if found else ("", text)


def _settings(front: str, place: Path | S3File) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _require_modest(front, loader, place)
        settings = yaml.load(front, Loader=loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:300]
        raise InputError(f"card {place}: its first lines are not YAML: {problem}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise InputError(
            f"card {place}: its first lines hold no keys; see the Hub's datasets-cards"
        )
    return settings


def _require_modest(front: str, loader: Any, place: Path | S3File) -> None:
    """Looks at the events alone, before anything is built of them."""
    depth = 0
    for nodes, event in enumerate(yaml.parse(front, Loader=loader)):
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f"card {place}: uses YAML aliases, which can grow without bound; "
                             "write the values out")  # fmt: skip
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MOST_DEPTH or nodes > _MOST_NODES:
            raise InputError(f"card {place}: nested deeper than {_MOST_DEPTH} or more than "
                             f"{_MOST_NODES} nodes; it is no dataset card")  # fmt: skip


def _licence(settings: dict[str, Any], place: Path | S3File) -> tuple[str, str]:
    """(SPDX, what is said) of `license`, which may be a list: parts under each of them."""
    stated = settings.get("license", settings.get("licence"))
    names = stated if isinstance(stated, list) else [stated]
    if not all(name is None or isinstance(name, str) for name in names):
        raise InputError(f"card {place}: license is neither a name nor a list of names; correct it")
    found: list[tuple[str, str]] = []
    for name in (_line(name) for name in names):
        if name.lower() in ("other", ""):
            said = _line(settings.get("license_name")) or _line(settings.get("license_link"))
            link = normalised(_line(settings.get("license_link")))
            spdx = normalised(said)
            # A name of its own may stand for terms that the link names better.
            spdx = link if spdx.startswith("LicenseRef-") and _is_listed(link) else spdx
        else:
            said, spdx = name, normalised(name)
        if spdx != UNKNOWN_LICENCE:
            found.append((spdx, said))
    if not found:
        return UNKNOWN_LICENCE, ""
    ids = list(dict.fromkeys(spdx for spdx, _ in found))
    both = " AND ".join(f"({one})" if " " in one else one for one in ids)
    return both, ", ".join(dict.fromkeys(said for _, said in found))


def _is_listed(spdx: str) -> bool:
    return spdx != UNKNOWN_LICENCE and not spdx.startswith("LicenseRef-")


def _citation(settings: dict[str, Any], body: str) -> str:
    """A key `citation`, a section of that name (its BibTeX before its prose), or any BibTeX."""
    if isinstance(stated := settings.get("citation"), str) and _cleaned(stated):
        return _cleaned(stated)
    sections = list(_sections(body))
    for section in (*(part for title, part in sections if _CITING.search(title)), body):
        if bibtex := _bibtex(section):
            return bibtex
        if section is not body and (prose := _cleaned(section)):
            return prose
    return ""


def _sections(body: str) -> Any:
    """(title, text) of each heading; its text goes on to the next heading of its level or above.

    A line of code that begins with `#` is taken for a heading too, which costs nothing here.
    """
    heads = list(_HEADING.finditer(body))[:2000]
    for number, head in enumerate(heads):
        level = len(head.group(1))
        later = (other for other in heads[number + 1 :] if len(other.group(1)) <= level)
        end = next((other.start() for other in later), len(body))
        yield head.group(2), body[head.end() : end]


def _bibtex(text: str) -> str:
    """The entries of BibTeX in `text`, from the first to where the last one's braces close."""
    start = end = -1
    for found in _BIBTEX.finditer(text):
        if found.start() < end:
            continue
        closed = _closing(text, text.index("{", found.start()))
        if closed < 0:
            break
        start, end = (found.start() if start < 0 else start), closed + 1
        if end - start > _CITATION_BYTES:
            break
    return text[start:end][:_CITATION_BYTES] if start >= 0 else ""


def _closing(text: str, opened: int) -> int:
    depth = 0
    for place in range(opened, min(len(text), opened + _CITATION_BYTES)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    return -1


def _cleaned(text: str) -> str:
    """Words of a section: without fences and markup; nothing where a template was left unfilled."""
    plain = _TAG.sub("", _FENCE.sub("", text[: 4 * _CITATION_BYTES])).strip()
    return "" if not plain or _MISSING.search(plain[:200]) else plain[:_CITATION_BYTES]


def _citation_file(card: Path | S3File) -> str:
    """The title, authors and DOI of a CITATION.cff beside the card (citation-file-format.github.io)
    in one line; nothing when there is none."""
    if isinstance(card, S3File):
        folder = str(card).rpartition("/")[0]
        from etl.storage.files import located

        place: Path | S3File = located(f"{folder}/{_CITATION_NAME}", card.config)
    else:
        place = card.with_name(_CITATION_NAME)
    if not place.is_file():
        return ""
    stated = _settings(_bounded(place).decode("utf-8", "replace"), place)
    cited = stated.get("preferred-citation")
    stated = cited if isinstance(cited, dict) else stated
    people = stated.get("authors")
    names = [_person(person) for person in (people if isinstance(people, list) else [])[:50]]
    parts = [", ".join(filter(None, names)), _line(stated.get("title")),
             str(stated.get("year") or stated.get("date-released") or "")[:20],
             _line(stated.get("doi") or stated.get("url"))]  # fmt: skip
    return ". ".join(filter(None, parts)) if _line(stated.get("title")) else ""


def _person(person: Any) -> str:
    if not isinstance(person, dict):
        return ""
    given = f"{_line(person.get('given-names'))} {_line(person.get('family-names'))}".strip()
    return given or _line(person.get("name"))


def _line(value: Any) -> str:
    return _TAG.sub("", " ".join(value.split()))[:300] if isinstance(value, str) else ""
