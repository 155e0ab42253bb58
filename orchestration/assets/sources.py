"""One asset a source, in the group `sources`: what each of its partitions brought."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.metadata import markdown_table, report_metadata
from orchestration.partitions import source_key, source_partitions
from orchestration.resources import StoreResource
from orchestration.sources.config import Source

_KINDS = {
    "web": {"scrapy"},
    "commoncrawl": {"spark"},
    "files": {"file"},
    "platforms": {"python"},
}


def source_asset(source: Source) -> dg.AssetsDefinition:
    """The asset of a source: it acquires, and leaves everything else to the landing job."""
    spec = dg.AssetSpec(
        source_key(source),
        description=(type(source).__doc__ or "").split("\n\n")[0],
        metadata={"settings": dg.MetadataValue.json(source.model_dump(mode="json"))},
        kinds=_KINDS[source.kind],
        group_name="sources",
        partitions_def=source_partitions(source),
        freshness_policy=_freshness(source),
    )

    @dg.multi_asset(specs=[spec], name=f"acquire_{source.ident}")
    def acquired(
        context: dg.AssetExecutionContext, foundry: StoreResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from orchestration.sources.acquire import acquire, settings_hash

        profile, partition = foundry.settings(), context.partition_key
        report = acquire(foundry.store, source, profile, partition)
        context.log.info(
            f"{source.name}: in {report.rows_in}, kept {report.kept}, rejected "
            f"{sum(report.rejected.values())}, quarantined {report.quarantined}"
        )
        shown = report_metadata(report, settings_hash(source, profile))
        places = {f"path_{name}": dg.MetadataValue.path(at) for name, at in report.outputs.items()}
        yield dg.MaterializeResult(
            asset_key=spec.key, metadata=shown | _acquired(source, report.extra) | places
        )

    return acquired


def _freshness(source: Source) -> dg.FreshnessPolicy | None:
    if not source.freshness_hours:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=source.freshness_hours))


def _acquired(source: Source, extra: dict[str, Any]) -> dict[str, Any]:
    """The counts that all sources have, as a table and a plot."""
    from orchestration.plots import bar_plot
    from orchestration.sources.acquire import COUNTS, LOST

    counts = {name.replace("_", " "): int(extra[name]) for name in COUNTS if name != "bytes"}
    lost = frozenset(name.replace("_", " ") for name in LOST)
    plot = bar_plot(counts, f"{source.name}: what was asked for", lost=lost)
    told = [*counts.items(), ("bytes", extra["bytes"])]
    return {
        "acquired": dg.MetadataValue.md(markdown_table(("what", "count"), told)),
        "acquired_plot": dg.MetadataValue.md(plot),
    }
