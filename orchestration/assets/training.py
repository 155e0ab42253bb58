"""training_run: launched locally or with Slurm, followed live, re-attached after a kill."""

import time
from typing import Any

import dagster as dg

from orchestration.assets.tokens import blend
from orchestration.resources import StoreResource

_OBSERVATION_SECONDS = 2.0
_OBSERVED = ("loss", "validation_loss", "lr", "throughput_tps", "consumed_tokens")


class _Observer:
    """Metrics rows to asset observations: every held-out loss, and one row each two seconds."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context, self._last = context, 0.0

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            now = time.monotonic()
            if "validation_loss" not in row and now - self._last < _OBSERVATION_SECONDS:
                continue
            self._last = now
            shown = {name: row[name] for name in _OBSERVED if row.get(name) is not None}
            self._context.log_event(
                dg.AssetObservation("training_run", metadata={"step": row["iteration"], **shown})
            )


@dg.asset(deps=[blend], group_name="training", kinds={"megatron", "pytorch"})
def training_run(
    context: dg.AssetExecutionContext, foundry: StoreResource
) -> dg.MaterializeResult[None]:
    """A mixture-of-experts model trained on the blend, its loss streamed back as it runs."""
    from orchestration.plots import loss_plot
    from orchestration.training_runs import follow, outcome_of, prepare

    profile = foundry.settings()
    folder = prepare(profile, foundry.blend_file(), foundry.runs_folder())
    context.log.info(f"training_run: {folder.path.name}, launcher {profile.training.launcher}")
    follow(folder, profile, _Observer(context))
    outcome = outcome_of(folder)
    context.log.info(
        f"training_run: held-out loss {outcome.validation_loss:.3f}, "
        f"unigram entropy {outcome.entropy:.3f}"
    )
    numbers = {name: value for name, value in outcome.result.items() if value is not None}
    return dg.MaterializeResult(
        metadata={
            **numbers,
            "loss_curve": dg.MetadataValue.md(loss_plot(outcome.curve, outcome.entropy)),
            "path": dg.MetadataValue.path(str(folder.path)),
            "config_hash": folder.path.name.rpartition("-")[2],
        }
    )
