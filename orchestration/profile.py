"""The one master file of a deployment: loaded, validated, and turned into each stage's config.

The stages' own frozen dataclasses are the field types, so a setting is declared once, where it is
used. An unknown key or a bad value is an `InputError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import dataclasses
import os
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl.commoncrawl.config import RangeConfig
from etl.crawl.config import CrawlConfig
from etl.dedup.config import DedupConfig
from etl.extract.job import ExtractConfig
from etl.filter.config import FilterConfig
from etl.licence.policy import LicenceConfig, Policy, load_policy
from etl.platforms.config import PlatformConfig
from etl.scrub.config import ScrubConfig
from etl.storage.config import S3Config
from etl.storage.location import is_s3
from etl.tables.session import SparkConfig
from orchestration.validation import explain
from schemas.errors import InputError
from schemas.identity import config_hash
from tokenizers_mm.indexed.config import TokensConfig
from tokenizers_mm.text.config import TokenizerConfig
from training.launch.slurm.script import SlurmConfig

PROFILE_VARIABLE = "TOKENFOUNDRY_PROFILE"
DEFAULT_PROFILE = "local"
_DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
PROFILES = _DEPLOY / "profiles"
SOURCES = _DEPLOY / "sources"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Snapshots(_Section):
    """When the incremental crawl runs. A snapshot is named by its date (YYYY-MM-DD)."""

    start: date = Field(default=date(2026, 1, 1), description="the first snapshot; site day 0")
    cron: str = Field(default="0 3 * * *", description="schedule of the incremental crawl, UTC")


class Crawl(_Section):
    """What is crawled: the seed URLs, and how politely."""

    seeds: tuple[str, ...] = ()
    config: CrawlConfig = Field(default_factory=CrawlConfig)


class SampleSite(_Section):
    """The generated web site that the embedded default crawls. The port is part of its URLs."""

    enabled: bool = False
    seed: int = Field(default=20261121, ge=0)
    port: int = Field(default=8765, ge=1024, le=65535)
    pages: int = Field(default=640, ge=100)


class Blend(_Section):
    """How the tokenised datasets are mixed: dataset name -> weight, on any positive scale."""

    weights: dict[str, float] = Field(default_factory=lambda: {"text": 1.0})


class Training(_Section):
    """Which recipe, where it runs, and the recipe's settings (dotted) that are changed here."""

    recipe: str = "tiny_moe"
    launcher: Literal["local", "slurm"] = "local"
    processes: int = Field(default=1, ge=1, description="of the local launcher")
    slurm: SlurmConfig = Field(default_factory=SlurmConfig)
    poll_seconds: float = Field(default=5.0, gt=0, description="between two looks at a Slurm job")
    overrides: dict[str, Any] = Field(default_factory=dict)


class Profile(_Section):
    """A deployment. Relative paths are below the working directory of the process."""

    name: str = Field(pattern=_NAME)
    home: str = ".foundry"
    store: str = Field(default="", description="root of the Delta tables; default HOME/store")
    warc: str = Field(default="", description="root of the WARC files; default HOME/warc")
    source: str = Field(default="web", pattern=_NAME)
    snapshots: Snapshots = Field(default_factory=Snapshots)
    spark: SparkConfig = Field(default_factory=SparkConfig)
    s3: S3Config = Field(default_factory=S3Config, description="of every s3:// path")
    crawl: Crawl = Field(default_factory=Crawl)
    sources: str = Field(
        default="", description="YAML file of further sources: a path, or a name in deploy/sources"
    )
    platforms: PlatformConfig = Field(default_factory=PlatformConfig)
    commoncrawl: RangeConfig = Field(default_factory=RangeConfig)
    sample_site: SampleSite = Field(default_factory=SampleSite)
    extract: ExtractConfig = Field(default_factory=ExtractConfig)
    licences: LicenceConfig = Field(default_factory=LicenceConfig)
    filter: FilterConfig = Field(default_factory=FilterConfig)
    dedup: DedupConfig = Field(default_factory=DedupConfig)
    scrub: ScrubConfig = Field(default_factory=ScrubConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    tokens: TokensConfig = Field(default_factory=TokensConfig)
    blend: Blend = Field(default_factory=Blend)
    training: Training = Field(default_factory=Training)

    @property
    def home_path(self) -> Path:
        return Path(self.home).expanduser().absolute()

    @property
    def store_root(self) -> str:
        return self.store or str(self.home_path / "store")

    @property
    def warc_root(self) -> str:
        return self.warc or str(self.home_path / "warc")

    @property
    def platforms_config(self) -> PlatformConfig:
        """The platforms' settings, under the crawler's contact where they have none."""
        contact = self.platforms.contact or self.crawl.config.contact
        return dataclasses.replace(self.platforms, contact=contact)

    @property
    def crawl_root(self) -> str:
        """The folder where a crawl writes its WARC files, before they go to an S3 `warc_root`."""
        return str(self.home_path / "warc") if is_s3(self.warc_root) else self.warc_root

    @property
    def docs_root(self) -> Path:
        """Where Great Expectations builds its Data Docs."""
        return self.home_path / "data_docs"

    @property
    def landing(self) -> Path:
        """New files put here become a snapshot of their own (the built-in source `landing`)."""
        return self.home_path / "landing"

    def source_folder(self, name: str) -> Path:
        """Where a source keeps what it brought, and its notes. All of Spark's workers see it."""
        return self.home_path / "sources" / name

    def policy(self) -> Policy:
        """The licence matrix, read now: a line changed in the file holds from the next step on."""
        return load_policy(self.licences)

    def stage_hash(self, stage: str) -> str:
        """The hash of one stage's settings, as its rows carry it."""
        value = getattr(self, stage)
        if isinstance(value, BaseModel):
            return config_hash(value.model_dump(mode="json"))
        return config_hash(dataclasses.asdict(value))


def profile_file(selected: str | None = None) -> Path:
    """The file of the selected profile: a path, or a name in deploy/profiles.

    `selected` defaults to `$TOKENFOUNDRY_PROFILE`, then `local`. Raises `InputError` when there is
    no such profile.
    """
    chosen = selected or os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE
    path = Path(chosen).expanduser()
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        if path.is_file():
            return path.absolute()
        raise InputError(f"profile {chosen}: no such file; set {PROFILE_VARIABLE} to a profile")
    named = PROFILES / f"{chosen}.yaml"
    if named.is_file():
        return named
    known = ", ".join(sorted(found.stem for found in PROFILES.glob("*.yaml"))) or "none"
    raise InputError(
        f"unknown profile {chosen!r}; set {PROFILE_VARIABLE} to a YAML file or to one of: {known}"
    )


def load_profile(selected: str | None = None) -> Profile:
    """Reads and validates the selected profile (see `profile_file`)."""
    path = profile_file(selected)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: is not YAML: {problem}; mend the file") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no settings; copy {PROFILES / 'local.yaml'} and edit it")
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error, Profile)}") from None
    return profile.model_copy(update={"sources": _sources_file(profile.sources, path)})


def _sources_file(chosen: str, profile: Path) -> str:
    """The sources file that a profile names, as an absolute path; "" for none."""
    if not chosen:
        return ""
    path = Path(chosen).expanduser()
    named = path.suffix not in (".yaml", ".yml") and len(path.parts) == 1
    found = SOURCES / f"{chosen}.yaml" if named else profile.parent / path
    if not found.is_file():
        raise InputError(
            f"{profile}: sources: {found}: no such file; name a YAML file (relative to the "
            f"profile's folder) or one of {SOURCES}"
        )
    return str(found.absolute())
