from __future__ import annotations

from pathlib import Path

import pytest

from training.launch.slurm import SlurmConfig, job_comment, job_name, render_sbatch
from training.launch.slurm.script import seconds_of

GOLDEN = r"""#!/bin/bash
#SBATCH --job-name=foundry-tiny_moe-0123
#SBATCH --comment=tiny_moe-0123/2/abcd
#SBATCH --partition=gpu
#SBATCH --chdir=/runs/tiny_moe-0123
#SBATCH --output=/runs/tiny_moe-0123/attempts/002/slurm-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-node=8
#SBATCH --mem=64G
#SBATCH --time=2-00:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue

set -uo pipefail
unset RANK WORLD_SIZE LOCAL_RANK
rm -f /runs/tiny_moe-0123/attempts/002/exit_code
module load cuda
first_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_ADDR=$(scontrol show node "$first_node" -o | grep -o "NodeAddr=[^ ]*")
export MASTER_ADDR=${MASTER_ADDR#NodeAddr=}
export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export OMP_NUM_THREADS=4
export TORCHDYNAMO_DISABLE=1 PYTHONUNBUFFERED=1
export GLOO_SOCKET_IFNAME=ib0 NCCL_SOCKET_IFNAME=ib0

srun --kill-on-bad-exit=1 /opt/foundry/bin/python -m training.run \
    --config /runs/tiny_moe-0123/config.json --attempt 2
code=$?
echo $code > /runs/tiny_moe-0123/attempts/002/exit_code
# 75: asked to stop before the time limit, checkpoint written; go on in a new slot.
if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


def test_golden_script() -> None:
    config = SlurmConfig(
        partition="gpu",
        nodes=2,
        tasks_per_node=8,
        cpus_per_task=4,
        gpus_per_node=8,
        memory="64G",
        time_limit="2-00:00:00",
        warn_seconds=300,
        network_interface="ib0",
        setup=("module load cuda",),
    )
    folder = Path("/runs/tiny_moe-0123")
    name, comment = job_name("tiny_moe-0123"), job_comment("tiny_moe-0123", 2, "abcd")
    python = "/opt/foundry/bin/python"
    assert render_sbatch(config, folder, 2, name=name, comment=comment, python=python) == GOLDEN


def test_a_folder_with_spaces_is_quoted() -> None:
    script = render_sbatch(
        SlurmConfig(requeue=False), Path("/my runs/a"), 1, name="a", comment="a/1", python="python"
    )
    assert '#SBATCH --chdir="/my runs/a"' in script
    assert "--config '/my runs/a'/config.json" in script
    assert "#SBATCH --no-requeue" in script
    assert "scontrol requeue" not in script


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("90", 5400), ("1:30", 90), ("02:00:00", 7200), ("1-0", 86400), ("2-01:30", 178200)],
)
def test_time_limits_in_sbatch_notation(limit: str, seconds: int) -> None:
    assert seconds_of(limit) == seconds


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"nodes": 0}, "nodes"),
        ({"time_limit": "soon"}, "time_limit"),
        ({"memory": "much"}, "memory"),
        ({"partition": "a b\n#SBATCH"}, "partition"),
        ({"time_limit": "00:01:00", "warn_seconds": 60}, "warn_seconds 60 must be below"),
        ({"setup": ("a\nb",)}, "setup"),
    ],
)
def test_a_bad_setting_is_named(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SlurmConfig(**setting)  # type: ignore[arg-type]
