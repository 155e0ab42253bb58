"""The one resource of the graph: the deployment, by the name of its profile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from etl.tables.store import Store
    from orchestration.profile import Profile


class StoreResource(dg.ConfigurableResource):
    """The profile and the Delta tables it points to. Spark starts at the first use of `store`.

    Every step of a run shares the process's one Spark session (in-process executor).
    """

    profile: str = ""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Notes on the run which process works on it, so that a killed one can be noticed."""
        from orchestration.instance import PROCESS_TAG, process_identity

        identity = process_identity(os.getpid())
        if context.run is not None and context.instance is not None and identity:
            context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: identity})

    def settings(self) -> Profile:
        from orchestration.profile import load_profile

        return load_profile(self.profile or None)

    def store(self) -> Store:
        from etl.storage.location import is_s3
        from etl.tables.session import spark_session
        from etl.tables.store import Store
        from orchestration.sources.config import load_sources, uses_s3

        settings = self.settings()
        reaches = is_s3(settings.store_root) or uses_s3(load_sources(settings))
        s3 = settings.s3 if reaches else None
        return Store(spark_session(settings.spark, s3), settings.store_root)

    @contextmanager
    def seeds(self, snapshot: str) -> Iterator[list[str]]:
        """The seed URLs of a crawl; with the sample site enabled, its server runs meanwhile."""
        from orchestration.partitions import snapshot_day
        from orchestration.sample_site import running_site

        settings = self.settings()
        configured = list(settings.crawl.seeds)
        if not settings.sample_site.enabled:
            yield configured
            return
        day = snapshot_day(snapshot, settings.snapshots.start)
        folder = settings.home_path / "sample_site"
        with running_site(settings.sample_site, day, folder) as site_seeds:
            yield [*site_seeds, *configured]

    # Where the artefacts that are no tables lie.
    def tokenizer_folder(self) -> Path:
        return self.settings().home_path / "tokenizer"

    def token_prefixes(self) -> tuple[str, str]:
        """Of the training dataset and of the one held out."""
        folder = self.settings().home_path / "tokens"
        return str(folder / "text"), str(folder / "text-validation")

    def blend_file(self) -> Path:
        return self.settings().home_path / "blend.json"

    def runs_folder(self) -> Path:
        return self.settings().home_path / "runs"
