"""training_run: launched locally or with Slurm, followed live, re-attached after a kill."""

from __future__ import annotations

import dagster as dg

from orchestration.assets.tokens import blend
from orchestration.resources import StoreResource


@dg.asset(deps=[blend], group_name="training", kinds={"megatron", "pytorch"})
def training_run(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> dg.MaterializeResult[None]:
    """A mixture-of-experts model trained on the blend, its loss streamed back as it runs."""
    from orchestration.plots import loss_plot
    from orchestration.training_runs import TrainingRun

    run = TrainingRun.prepare(foundry)
    context.log.info(f"training_run: {run.describe()}")
    for row in run.follow():
        context.log_event(
            dg.AssetObservation("training_run", metadata={"step": row["step"], **row})
        )
    outcome = run.finished()
    return dg.MaterializeResult(
        metadata={
            **outcome.metadata,
            "loss_curve": dg.MetadataValue.md(loss_plot(outcome.curve, outcome.entropy)),
        }
    )
