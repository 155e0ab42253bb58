"""Starting a run: its folder, the local launcher, Slurm."""

from training.run_folder import RunConfig, RunFolder, prepare_run

__all__ = ["RunConfig", "RunFolder", "prepare_run"]
