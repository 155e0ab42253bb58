"""A corpus as it is to be read: its field map, what its card says, and which files are its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.ingest.card import CARD_NAME, Card, read_card, required
from etl.ingest.config import IngestConfig
from etl.ingest.fieldmap import FieldMap, load_map
from etl.ingest.layout import DATA, Selection, selection
from etl.storage.files import S3File, located
from schemas.errors import InputError

_FOLDERS_UP = 2


@dataclass(frozen=True, slots=True)
class Corpus:
    """`files` says which files are read, by their path below `root`: the folder of the card, or the
    input's. A file that the user named himself is read whatever the card lists."""

    map: FieldMap
    card: Card
    files: Selection
    root: str
    named: str = ""

    def kind(self, path: str) -> str:
        """`data`, `unlisted` or `not_data` (see `Selection.kind`)."""
        if path == self.named:
            return DATA
        return self.files.kind(path.removeprefix(self.root).lstrip("/"))


def load_corpus(path: str, config: IngestConfig) -> Corpus | None:
    """What `config` says about reading `path`, checked; None without a field map.

    The card is `config.card`, or a README.md in the folder or up to two above. Raises `InputError`
    when the map or the card is wrong, or licence or citation are missing.
    """
    if not config.field_map:
        for name in ("card", "licence", "citation", "config", "split"):
            if getattr(config, name):
                raise InputError(f"{name} goes with a field map; name one too (--map NAME)")
        return None
    fields = load_map(config.field_map)
    place = located(path.removeprefix("file://"), config.s3).absolute()
    given = str(place).rstrip("/")
    folder = given if place.is_dir() else _parent(given)
    found = _card_place(folder, config)
    card = read_card(found) if found is not None else Card()
    root = folder if config.card or found is None else _parent(str(found))
    card = required(card, config.licence, config.citation)
    files = selection(card, config.config, config.split)
    return Corpus(fields, card, files, root, "" if place.is_dir() else given)


def _card_place(folder: str, config: IngestConfig) -> Path | S3File | None:
    if config.card:
        place = located(config.card, config.s3)
        if not place.is_file():
            raise InputError(f"card {config.card}: no such file; correct its path")
        return place
    places = (located(f"{one}/{CARD_NAME}", config.s3) for one in _and_above(folder))
    return next((place for place in places if place.is_file()), None)


def _and_above(folder: str) -> Iterator[str]:
    for _ in range(_FOLDERS_UP + 1):
        if folder and not folder.endswith(":/"):
            yield folder
        folder = _parent(folder)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
