"""The check of a source: what lies there is what its materialisation says."""

import dagster as dg

from orchestration.partitions import source_key
from orchestration.resources import StoreResource
from orchestration.sources.config import Source

_TOLD = ("rows_in", "kept", "rejected", "quarantined")


def counts_reconcile(source: Source) -> dg.AssetChecksDefinition:
    """Everything asked for is kept, rejected or quarantined, counted again on the spot."""

    @dg.asset_check(
        asset=source_key(source),
        name="counts_reconcile",
        description="What was asked for is kept, rejected or quarantined, as the run says.",
    )
    def counts_reconcile(
        context: dg.AssetCheckExecutionContext, foundry: StoreResource
    ) -> dg.AssetCheckResult:
        """Run by itself, it looks at the partition that came last."""
        from orchestration.sources.recount import recount

        event = _last(context, source)
        if event is None or event.partition is None:
            return dg.AssetCheckResult(passed=True, description="nothing was materialised yet")
        found = dict.fromkeys(_TOLD, 0)
        found |= recount(foundry.store, source, foundry.settings(), event.partition)
        told = {name: int(str(event.metadata[name].value)) for name in _TOLD}
        placed = found["kept"] + found["rejected"] + found["quarantined"]
        return dg.AssetCheckResult(
            passed=found == told and found["rows_in"] == placed,
            metadata={**found, **{f"said_{name}": told[name] for name in _TOLD}},
        )

    return counts_reconcile


def _last(context: dg.AssetCheckExecutionContext, source: Source) -> dg.AssetMaterialization | None:
    partitions = [context.partition_key] if context.has_partition_key else None
    wanted = dg.AssetRecordsFilter(asset_key=source_key(source), asset_partitions=partitions)
    records = context.instance.fetch_materializations(wanted, limit=1).records
    return records[0].asset_materialization if records else None
