"""The sources file: what is acquired, from where, when, and how far ahead of the corpus.

A mistake is an `InputError` that names the file, the source, the key and the remedy.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from etl.commoncrawl.config import RangeConfig, Selection
from etl.crawl.config import CrawlConfig
from etl.crawl.urls import UrlRefusedError, canonical_url
from etl.platforms.config import PlatformConfig
from etl.storage.location import is_s3
from orchestration.sources import cron as cron_lines
from orchestration.sources.naming import NAME, ends_like_a_batch
from orchestration.validation import explain
from schemas.errors import InputError

if TYPE_CHECKING:
    from orchestration.profile import Profile

LANDING = "landing"
Config = TypeVar("Config", CrawlConfig, RangeConfig, PlatformConfig)


class _Source(BaseModel):
    """What all kinds have. A source that is not `enabled` keeps its asset and its history, and
    nothing starts it by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=rf"^{NAME}$", max_length=40)
    enabled: bool = True
    max_waiting: int = Field(default=2, ge=1, description="snapshots that may wait for the corpus")
    freshness_hours: float = Field(default=0, ge=0, description="0: no freshness is asked for")

    @field_validator("name")
    @classmethod
    def _no_batch(cls, name: str) -> str:
        if ends_like_a_batch(name):
            raise ValueError("must not end like the digest of a batch (- and 8 hexadecimal digits)")
        return name

    @property
    def ident(self) -> str:
        """The name as Dagster takes it."""
        return self.name.replace("-", "_")

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it reads, for what must be set up to reach it."""
        return ()


class _Scheduled(_Source):
    """`cron` (UTC) is empty for a source that is only materialised by hand. It starts up to
    `jitter_minutes` later, always by the same minutes."""

    cron: str = ""
    jitter_minutes: int = Field(default=0, ge=0, le=720)

    @model_validator(mode="after")
    def _can_be_moved(self) -> _Scheduled:
        if self.cron:
            cron_lines.check(self.cron, self.jitter_minutes)
        return self

    @property
    def cron_schedule(self) -> list[str]:
        return cron_lines.moved(self.cron, cron_lines.offset(self.name, self.jitter_minutes))

    @property
    def is_frequent(self) -> bool:
        return bool(self.cron) and cron_lines.is_frequent(self.cron)


class WebSource(_Scheduled):
    """A crawl of its own. `config` changes settings of the profile's crawl.config."""

    kind: Literal["web"]
    seeds: tuple[str, ...] = Field(min_length=1)
    config: dict[str, Any] = Field(default_factory=dict)

    @field_validator("seeds")
    @classmethod
    def _are_urls(cls, seeds: tuple[str, ...]) -> tuple[str, ...]:
        for seed in seeds:
            try:
                canonical_url(seed)
            except UrlRefusedError as error:
                raise ValueError(f"{seed[:200]!r}: {error}") from None
        return seeds


class CommonCrawlSource(_Scheduled):
    """Records chosen by the columnar index, a folder or an s3:// prefix of `crawl=...` partitions.
    `config` changes settings of the profile's commoncrawl."""

    kind: Literal["commoncrawl"]
    index: str = Field(min_length=1)
    selection: Selection
    config: dict[str, Any] = Field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.index,)


class FilesSource(_Source):
    """New files below a folder or an s3:// prefix. A file that was written to within
    `quiet_seconds` may still be growing, and waits.

    With `field_map` they are a corpus's, as `foundry ingest --map` reads it: `card`, `licence`,
    `citation`, `configuration` and `split` are its options."""

    kind: Literal["files"]
    path: str = Field(min_length=1)
    field_map: str = ""
    card: str = ""
    licence: str = ""
    citation: str = ""
    configuration: str = ""
    split: str = ""
    quiet_seconds: float = Field(default=5.0, ge=0)
    max_batch_files: int = Field(default=10_000, ge=1)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,)


class PlatformsSource(_Scheduled):
    """Video and audio of channels, playlists and pages. `config` changes the profile's platforms.
    What is taken are files and rows of the table `media`, no documents."""

    kind: Literal["platforms"]
    urls: tuple[str, ...] = ()
    url_file: str = ""
    search: str = ""
    config: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_some(self) -> PlatformsSource:
        if not (self.urls or self.url_file or self.search):
            raise ValueError("has nothing to visit; give urls, url_file or search")
        return self


Source = WebSource | CommonCrawlSource | FilesSource | PlatformsSource
_BY_KIND: dict[str, type[Source]] = {
    "web": WebSource,
    "commoncrawl": CommonCrawlSource,
    "files": FilesSource,
    "platforms": PlatformsSource,
}
_SOURCE: TypeAdapter[Source] = TypeAdapter(Annotated[Source, Field(discriminator="kind")])


def load_sources(profile: Profile) -> dict[str, Source]:
    """The profile's sources by name, the built-in `landing` first."""
    landing = FilesSource(name=LANDING, kind="files", path=str(profile.landing))
    sources: dict[str, Source] = {LANDING: landing}
    for number, entry in enumerate(_entries(profile.sources), 1):
        named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
        name = str(entry["name"]) if named else f"number {number}"
        where = f"{profile.sources}: source {name}"
        source = _validated(entry, where)
        if source.name in sources:
            known = "is the built-in one" if source.name == LANDING else "is there twice"
            raise InputError(f"{where}: name: {known}; choose another name")
        _check_config(source, profile, where)
        sources[source.name] = source
    return sources


def _entries(path: str) -> list[Any]:
    if not path:
        return []
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: is not YAML: {problem}; mend the file") from None
    if not isinstance(content, dict) or not isinstance(content.get("sources"), list):
        raise InputError(f"{path}: sources: must be a list; see deploy/sources/example.yaml")
    if unknown := sorted(map(str, content.keys() - {"sources"})):
        raise InputError(f"{path}: unknown key {unknown[0]}; remove it or put it below sources")
    return list(content["sources"])


def _validated(entry: Any, where: str) -> Source:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in _BY_KIND:
        choice = ", ".join(_BY_KIND)
        raise InputError(f"{where}: kind: is {kind!r:.80}; choose one of: {choice}")
    if kind == "files" and {"cron", "jitter_minutes"} & entry.keys():
        raise InputError(f"{where}: cron: files are watched, not scheduled; remove it")
    try:
        return _SOURCE.validate_python(entry)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, _BY_KIND[kind], skip=1)}") from None


def _check_config(source: Source, profile: Profile, where: str) -> None:
    try:
        match source:
            case WebSource():
                contact = crawl_config(source, profile).contact
            case PlatformsSource():
                contact = platform_config(source, profile).contact
            case CommonCrawlSource():
                range_config(source, profile)
                return
            case _:
                return
    except _ConfigError as error:
        raise InputError(f"{where}: config: {error}") from None
    if not contact:
        raise InputError(
            f"{where}: config.contact: is empty; set a URL or an e-mail address that site owners "
            "can reach, here or in the profile's crawl.config"
        )


class _ConfigError(ValueError):
    pass


def crawl_config(source: WebSource, profile: Profile) -> CrawlConfig:
    return _changed(profile.crawl.config, source.config)


def platform_config(source: PlatformsSource, profile: Profile) -> PlatformConfig:
    return _changed(profile.platforms_config, source.config)


def range_config(source: CommonCrawlSource, profile: Profile) -> RangeConfig:
    """Under the crawler's name when that has a contact: one operator, one name."""
    base = dataclasses.replace(profile.commoncrawl, s3=profile.s3)
    if profile.crawl.config.contact:
        base = dataclasses.replace(base, user_agent=profile.crawl.config.header)
    return _changed(base, source.config)


def _changed(base: Config, changes: dict[str, Any]) -> Config:
    """`base` with some of its settings changed, all of them validated again."""
    known = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    try:
        return TypeAdapter(type(base)).validate_python(known | changes)
    except ValidationError as error:
        raise _ConfigError(explain(error, type(base))) from None


def uses_s3(sources: dict[str, Source]) -> bool:
    """Whether any of them reads from S3 through Spark."""
    return any(is_s3(path) for source in sources.values() for path in source.paths)
