"""Slurm: a pure script, one submission a run, states with a cause and a remedy."""

from training.launch.slurm.jobs import Job, cancel, latest_job, poll, read_job, submit, wait
from training.launch.slurm.script import SlurmConfig, job_comment, job_name, render_sbatch
from training.launch.slurm.states import JobState, State

__all__ = [
    "Job",
    "JobState",
    "SlurmConfig",
    "State",
    "cancel",
    "job_comment",
    "job_name",
    "latest_job",
    "poll",
    "read_job",
    "render_sbatch",
    "submit",
    "wait",
]
