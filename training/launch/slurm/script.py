"""The sbatch script of a run: a pure function of its configuration, held by a golden test."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

_TIME = re.compile(r"(\d+-)?\d+(:\d\d){0,2}")
_MEMORY = re.compile(r"\d+[KMGT]?")
_WORD = re.compile(r"[\w.,:@%+/=\[\]-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmConfig:
    """What Slurm is asked for. Empty strings leave the cluster's default.

    `time_limit` and `memory` are in sbatch's own notation ("02:00:00", "16G"). `warn_seconds`
    before the limit the program gets SIGUSR1, writes a checkpoint, and the job requeues itself
    when `requeue` is set. `setup` are shell lines run before the program (module loads).
    `network_interface` is the one gloo and NCCL bind to (`GLOO_SOCKET_IFNAME`).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    partition: str = ""
    account: str = ""
    qos: str = ""
    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    memory: str = "2G"
    time_limit: str = "01:00:00"
    warn_seconds: int = 120
    requeue: bool = True
    network_interface: str = ""
    setup: tuple[str, ...] = ()
    client_timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("nodes", "tasks_per_node", "cpus_per_task", "client_timeout_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.gpus_per_node < 0 or self.warn_seconds < 0:
            raise ValueError("gpus_per_node and warn_seconds must not be negative")
        if not _TIME.fullmatch(self.time_limit):
            raise ValueError(f"time_limit must look like 02:00:00, not {self.time_limit!r}")
        if self.warn_seconds >= seconds_of(self.time_limit):
            raise ValueError(
                f"warn_seconds {self.warn_seconds} must be below time_limit {self.time_limit}: "
                "the run would be stopped as it starts"
            )
        if self.memory and not _MEMORY.fullmatch(self.memory):
            raise ValueError(f"memory must look like 16G, not {self.memory!r}")
        for name in ("partition", "account", "qos", "network_interface"):
            if not _WORD.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be one word, not {getattr(self, name)!r}")
        if any("\n" in line for line in self.setup):
            raise ValueError("setup holds a line break: give one line an entry")


def seconds_of(time_limit: str) -> int:
    """sbatch's notation -> seconds: minutes, min:sec, hours:min:sec, days-hours[:min[:sec]]."""
    days, dash, clock = time_limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, (*parts, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def job_name(key: str) -> str:
    """The job's name: the run's key, so that squeue shows which run it is."""
    return f"foundry-{key}"


def job_comment(key: str, attempt: int, nonce: str) -> str:
    """The job's comment: finds exactly this attempt's job when its record was lost.

    `nonce` tells it from the same run in another folder, or in one deleted since.
    """
    return f"{key}/{attempt}/{nonce}"


def render_sbatch(
    config: SlurmConfig, run_folder: Path, attempt: int, *, name: str, comment: str, python: str
) -> str:
    """The script that trains `run_folder` as its attempt number `attempt` with that interpreter.

    One task a process: srun gives each its rank. The first node's address, as the controller knows
    it, is the rendezvous. The exit status is the program's, and `exit_code` in the attempt's
    folder keeps it for clusters without accounting.
    """
    folder = shlex.quote(str(run_folder))
    logs = f"{run_folder}/attempts/{attempt:03d}"
    blocks = [
        "#!/bin/bash",
        *_directives(config, run_folder, logs, name, comment),
        "",
        "set -uo pipefail",
        "unset RANK WORLD_SIZE LOCAL_RANK",
        f"rm -f {shlex.quote(logs)}/exit_code",
        *config.setup,
        'first_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        'MASTER_ADDR=$(scontrol show node "$first_node" -o | grep -o "NodeAddr=[^ ]*")',
        "export MASTER_ADDR=${MASTER_ADDR#NodeAddr=}",
        "export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
        f"export OMP_NUM_THREADS={config.cpus_per_task}",
        "export TORCHDYNAMO_DISABLE=1 PYTHONUNBUFFERED=1",
    ]
    if config.network_interface:
        interface = config.network_interface
        blocks.append(f"export GLOO_SOCKET_IFNAME={interface} NCCL_SOCKET_IFNAME={interface}")
    blocks += [
        "",
        f"srun --kill-on-bad-exit=1 {shlex.quote(python)} -m training.run \\",
        f"    --config {folder}/config.json --attempt {attempt}",
        "code=$?",
        f"echo $code > {shlex.quote(logs)}/exit_code",
    ]
    if config.requeue:
        blocks += [
            "# 75: asked to stop before the time limit, checkpoint written; go on in a new slot.",
            'if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
        ]
    blocks.append('exit "$code"')
    return "\n".join(blocks) + "\n"


def _directives(
    config: SlurmConfig, run_folder: Path, logs: str, name: str, comment: str
) -> list[str]:
    options = {
        "job-name": name,
        "comment": comment,
        "partition": config.partition,
        "account": config.account,
        "qos": config.qos,
        "chdir": _quoted(str(run_folder)),
        "output": _quoted(f"{logs}/slurm-%j.log"),
        "open-mode": "append",
        "nodes": str(config.nodes),
        "ntasks-per-node": str(config.tasks_per_node),
        "cpus-per-task": str(config.cpus_per_task),
        "gpus-per-node": str(config.gpus_per_node or ""),
        "mem": config.memory,
        "time": config.time_limit,
        "signal": f"USR1@{config.warn_seconds}" if config.warn_seconds else "",
    }
    lines = [f"#SBATCH --{name}={value}" for name, value in options.items() if value]
    return [*lines, "#SBATCH --requeue" if config.requeue else "#SBATCH --no-requeue"]


def _quoted(path: str) -> str:
    """sbatch reads its directives with double quotes; `%` starts a pattern of file names."""
    return f'"{path}"' if re.search(r"\s", path) else path
