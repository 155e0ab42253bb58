"""From the web to clean documents: crawl, documents, ledger, filtered, deduplicated, corpus."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.metadata import definition_metadata, report_metadata, table_metadata
from orchestration.partitions import SNAPSHOTS, source_key
from orchestration.resources import StoreResource
from orchestration.sources.config import Source
from orchestration.sources.documents import has_documents
from orchestration.sources.naming import origin
from schemas.report import JobReport
from schemas.spec import TableSpec
from schemas.tables import (
    CLUSTERS,
    CORPUS,
    DEDUPLICATED,
    DOCUMENTS,
    FETCHES,
    FILTERED,
    FINDINGS,
    LEDGER,
    REJECTED,
)

DAILY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)
_KINDS = {"spark", "deltalake"}


def _spec(table: TableSpec, name: str = "", **keywords: Any) -> dg.AssetSpec:
    """The asset of a table: what the UI shows comes from its `TableSpec`."""
    return dg.AssetSpec(
        name or table.name,
        description=table.comment,
        metadata=definition_metadata(table),
        kinds=keywords.pop("kinds", _KINDS),
        group_name="corpus",
        partitions_def=SNAPSHOTS,
        **keywords,
    )


def _result(
    table: TableSpec, foundry: StoreResource, snapshot: str, asset: str = "", **more: Any
) -> dg.MaterializeResult[None]:
    shown = table_metadata(foundry.store(), table, {"snapshot": snapshot})
    return dg.MaterializeResult(asset_key=asset or table.name, metadata=shown | more)


def _told(context: dg.AssetExecutionContext, report: JobReport) -> JobReport:
    context.log.info(
        f"{report.verb}: in {report.rows_in}, kept {report.kept}, rejected "
        f"{sum(report.rejected.values())}, quarantined {report.quarantined}"
    )
    return report


@dg.multi_asset(
    specs=[_spec(FETCHES, "crawl", kinds={"scrapy", "deltalake"}, freshness_policy=DAILY)],
    name="crawl",
)
def crawl(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Visits every due URL politely; new and changed pages go into WARC files."""
    from etl.crawl.snapshot import crawl_snapshot

    profile, snapshot = foundry.settings(), context.partition_key
    with foundry.seeds(snapshot) as seeds:
        report = crawl_snapshot(
            foundry.store(), profile.crawl_root, seeds, profile.source, snapshot,
            profile.crawl.config, archive=profile.warc_root, s3=profile.s3,
        )  # fmt: skip
    shown = report_metadata(_told(context, report), profile.stage_hash("crawl"))
    yield _result(FETCHES, foundry, snapshot, "crawl", **shown)


def documents_asset(sources: Mapping[str, Source]) -> dg.AssetsDefinition:
    """`documents`, made from the profile's crawl or, by the snapshot's name, from a source."""
    brought = [
        dg.AssetDep(source_key(source), partition_mapping=dg.AllPartitionMapping())
        for source in sources.values()
        if has_documents(source)
    ]

    @dg.multi_asset(specs=[_spec(DOCUMENTS, deps=["crawl", *brought])], name="documents")
    def documents(
        context: dg.AssetExecutionContext, foundry: StoreResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Main text, title, language and licence of each new page or record."""
        from etl.extract.job import extract_snapshot
        from orchestration.charts import language_plot
        from orchestration.sources.documents import source_documents

        profile, snapshot, store = foundry.settings(), context.partition_key, foundry.store()
        found = origin(snapshot)
        if found is None:
            report = extract_snapshot(
                store, profile.warc_root, snapshot, profile.extract, profile.s3
            )
        else:
            report = source_documents(store, profile, snapshot, found)
        shown = report_metadata(_told(context, report), profile.stage_hash("extract"))
        plot = language_plot(store, DOCUMENTS, {"snapshot": snapshot})
        shown["source"] = found.source if found else profile.source
        yield _result(DOCUMENTS, foundry, snapshot, languages=plot, **shown)

    return documents


@dg.multi_asset(specs=[_spec(LEDGER, deps=["documents"])], name="ledger")
def ledger(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Decides which documents may be used; a changed licence matrix decides all of them again."""
    from etl.licence.ledger import ledger_snapshot
    from orchestration.charts import licence_metadata

    profile, snapshot, store = foundry.settings(), context.partition_key, foundry.store()
    report = _told(context, ledger_snapshot(store, snapshot, profile.policy()))
    shown = report_metadata(report, profile.stage_hash("licences"))
    shown |= licence_metadata(store, snapshot)
    # A snapshot is of one source, so that its counts are that source's.
    found = origin(snapshot)
    shown["source"] = found.source if found else profile.source
    shown["refused_by_licence"] = sum(report.rejected.values())
    yield _result(LEDGER, foundry, snapshot, **shown)


@dg.multi_asset(
    specs=[
        _spec(FILTERED, deps=["documents", "ledger"]),
        _spec(REJECTED, deps=["documents", "ledger"]),
    ],
    name="filtered",
)
def filtered(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Applies the ledger's verdicts and the quality rules; what they drop is kept, with why."""
    from etl.filter.job import filter_snapshot

    profile, snapshot = foundry.settings(), context.partition_key
    report = _told(context, filter_snapshot(foundry.store(), snapshot, profile.filter))
    shown = report_metadata(report, profile.stage_hash("filter"))
    yield _result(FILTERED, foundry, snapshot, **shown)
    # Later steps reject documents too: only this step's are counted here.
    rows = table_metadata(foundry.store(), REJECTED, {"snapshot": snapshot, "step": "filter"})
    yield dg.MaterializeResult(asset_key=REJECTED.name, metadata=rows)


@dg.multi_asset(
    specs=[_spec(DEDUPLICATED, deps=["filtered"]), _spec(CLUSTERS, deps=["filtered"])],
    name="deduplicated",
)
def deduplicated(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Drops exact and near duplicates, within the snapshot and against all earlier ones."""
    from etl.dedup.snapshot import dedup_snapshot

    profile, snapshot = foundry.settings(), context.partition_key
    report = _told(context, dedup_snapshot(foundry.store(), snapshot, profile.dedup))
    shown = report_metadata(report, profile.stage_hash("dedup"))
    yield _result(DEDUPLICATED, foundry, snapshot, **shown)
    yield _result(CLUSTERS, foundry, snapshot)


@dg.multi_asset(
    specs=[
        _spec(CORPUS, deps=["deduplicated", "clusters"], freshness_policy=DAILY),
        _spec(FINDINGS, deps=["deduplicated"]),
    ],
    name="corpus",
)
def corpus(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Masks personal data and merges the snapshot into the corpus; unchanged rows stay as is."""
    from etl.scrub.corpus import corpus_snapshot
    from orchestration.charts import funnel_plot, language_plot

    profile, snapshot, store = foundry.settings(), context.partition_key, foundry.store()
    report = _told(context, corpus_snapshot(store, snapshot, profile.scrub))
    shown = report_metadata(report, profile.stage_hash("scrub"))
    plots = {
        "languages": language_plot(store, CORPUS, None),
        "whole_funnel": funnel_plot(store, snapshot),
    }
    yield dg.MaterializeResult(
        asset_key="corpus", metadata=table_metadata(store, CORPUS) | plots | shown
    )
    yield _result(FINDINGS, foundry, snapshot)
