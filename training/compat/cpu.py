"""megatron-core 0.16.1 on a CPU: the few places that assume a CUDA device, mended in process.

Megatron's model, DistributedDataParallel, DistributedOptimizer, schedules and checkpoints are
device-neutral in their mathematics but name "cuda" literally. `apply` maps those names to the
CPU. It changes process-wide state, once, and is never called where a CUDA device exists.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

_FACTORIES = ("arange", "empty", "empty_like", "full", "ones", "tensor", "zeros", "zeros_like")
_CUDA_TYPE_NAMES = {
    "torch.FloatTensor": "torch.cuda.FloatTensor",
    "torch.HalfTensor": "torch.cuda.HalfTensor",
    "torch.BFloat16Tensor": "torch.cuda.BFloat16Tensor",
}
_applied = False


class _NoStream:
    """A CUDA stream or event on a device that runs everything in order."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def wait_stream(self, _: Any) -> None: ...

    def wait_event(self, _: Any) -> None: ...

    def record_event(self, *_: Any) -> _NoStream:
        return self

    def record(self, *_: Any) -> None: ...

    def synchronize(self) -> None: ...


def apply() -> None:
    """Make Megatron run on this CPU. Idempotent; raises RuntimeError where CUDA is present."""
    global _applied
    if _applied:
        return
    if torch.cuda.is_available():
        raise RuntimeError("CPU compatibility must not be applied on a machine with CUDA")
    _patch_devices()
    _patch_random_state()
    _patch_streams()
    _patch_megatron()
    _applied = True


def _on_cpu(device: Any) -> Any:
    return "cpu" if str(device).startswith("cuda") else device


def _patch_devices() -> None:
    """Factories given `device="cuda"`, `.cuda()`, and comparisons with CUDA tensor types."""
    for name in _FACTORIES:
        setattr(torch, name, _factory(getattr(torch, name)))
    _replace(torch.cuda, current_device=lambda: "cpu")
    original_type = torch.Tensor.type

    @functools.wraps(original_type)
    def tensor_type(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        result = original_type(self, *args, **kwargs)
        # Megatron's optimizer sorts parameters by these names and refuses CPU ones.
        return _CUDA_TYPE_NAMES.get(result, result) if isinstance(result, str) else result

    _replace(torch.Tensor, type=tensor_type, cuda=lambda self, *_, **__: self)


def _replace(owner: object, **attributes: Any) -> None:
    for name, value in attributes.items():
        setattr(owner, name, value)


def _factory(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def factory(*args: Any, **kwargs: Any) -> Any:
        if "device" in kwargs:
            kwargs["device"] = _on_cpu(kwargs["device"])
        return original(*args, **kwargs)

    return factory


def _patch_random_state() -> None:
    """Megatron's RNG tracker forks a generator of its own, beside torch's default one."""
    generator = torch.Generator()

    def get_state(*_: Any, **__: Any) -> torch.Tensor:
        return generator.get_state()

    def set_state(state: torch.Tensor, *_: Any, **__: Any) -> None:
        generator.set_state(state)

    from megatron.core.tensor_parallel import random

    _replace(
        torch.cuda,
        get_rng_state=get_state,
        set_rng_state=set_state,
        manual_seed=generator.manual_seed,
    )
    _replace(random, _get_cuda_rng_state=get_state, _set_cuda_rng_state=set_state)


def _patch_streams() -> None:
    stream = _NoStream()

    def on_stream(_: Any) -> AbstractContextManager[None]:
        return nullcontext()

    _replace(
        torch.cuda,
        Stream=_NoStream,
        Event=_NoStream,
        stream=on_stream,
        current_stream=lambda *_: stream,
        default_stream=lambda *_: stream,
        synchronize=lambda *_: None,
        empty_cache=lambda: None,
    )


def _patch_megatron() -> None:
    from megatron.core.transformer.moe import moe_utils, token_dispatcher

    if not hasattr(moe_utils, "te_general_gemm"):
        # Read without a guard although it is only imported with TransformerEngine.
        _replace(moe_utils, te_general_gemm=None)

    def to_host(tensor: Any, as_numpy: bool = False, record_stream: bool = False) -> Any:
        # all_to_all on gloo wants split sizes as integers: Megatron converts CUDA tensors only.
        del record_stream
        return tensor.numpy() if torch.is_tensor(tensor) and as_numpy else tensor

    for module in (moe_utils, token_dispatcher):
        _replace(module, maybe_move_tensor_to_cpu=to_host)
