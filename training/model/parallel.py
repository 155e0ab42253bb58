"""Process groups: from environment variables (torchrun or srun) to Megatron's parallel state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from schemas.errors import InputError
from training.recipes.config import Recipe

_COLLECTIVE_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's place. `data_rank` of `data_size` tells which samples it reads."""

    rank: int
    world_size: int
    data_rank: int
    data_size: int

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def rank_environment() -> tuple[int, int, int]:
    """(rank, world size, local rank) as torchrun or, failing that, srun names them."""
    env = os.environ
    rank = int(env.get("RANK", env.get("SLURM_PROCID", "0")))
    world = int(env.get("WORLD_SIZE", env.get("SLURM_NTASKS", "1")))
    local = int(env.get("LOCAL_RANK", env.get("SLURM_LOCALID", "0")))
    return rank, world, local


def check_layout(recipe: Recipe, world_size: int) -> None:
    """Raises `InputError` when the batch or the experts cannot be shared by the processes."""
    expert = recipe.parallel.expert
    if world_size % expert:
        raise InputError(
            f"recipe setting parallel.expert: {expert} does not divide the {world_size} processes"
        )
    per_round = recipe.loop.micro_batch * world_size
    if recipe.loop.global_batch % per_round:
        raise InputError(
            f"recipe setting loop.global_batch: {recipe.loop.global_batch} does not divide by "
            f"micro_batch x processes = {per_round}; lower loop.micro_batch"
        )


@contextmanager
def process_groups(recipe: Recipe) -> Iterator[Ranks]:
    """torch.distributed and Megatron's groups, torn down on the way out.

    gloo on a CPU (with `training.compat.cpu` applied), nccl with a CPU gloo beside it on GPUs.
    """
    import torch
    from megatron.core import parallel_state, tensor_parallel
    from torch._C._distributed_c10d import HashStore

    rank, world, local = rank_environment()
    check_layout(recipe, world)
    if torch.cuda.is_available():
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    else:
        from training.compat import cpu

        cpu.apply()
        backend = "gloo"
    if "MASTER_ADDR" in os.environ:
        torch.distributed.init_process_group(
            backend, rank=rank, world_size=world, timeout=_COLLECTIVE_TIMEOUT
        )
    elif world == 1:
        store = HashStore()
        torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    else:
        raise InputError("MASTER_ADDR: not set although there are several processes")
    try:
        parallel_state.initialize_model_parallel(
            tensor_model_parallel_size=recipe.parallel.tensor,
            pipeline_model_parallel_size=recipe.parallel.pipeline,
            expert_model_parallel_size=recipe.parallel.expert,
            expert_tensor_parallel_size=1,
        )
        torch.manual_seed(recipe.loop.seed)
        tensor_parallel.model_parallel_cuda_manual_seed(recipe.loop.seed)
        yield Ranks(
            rank=rank,
            world_size=world,
            data_rank=parallel_state.get_data_parallel_rank(),
            data_size=parallel_state.get_data_parallel_world_size(),
        )
    finally:
        parallel_state.destroy_model_parallel()
        torch.distributed.destroy_process_group()
