"""The frozen configuration of a training run, checked when it is built.

Every class holds plain types only, so that a run folder's `config.json` is the whole truth about
the run: `dataclasses.asdict(recipe)` writes it and `recipe_from_dict` reads it back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from schemas.errors import InputError

_FORBID = {"extra": "forbid"}


def _positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be above 0, not {getattr(config, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MoEConfig:
    """Mixture of experts. `experts` 0 makes a dense model."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    experts: int = 0
    top_k: int = 2
    ffn_hidden_size: int = 128
    aux_loss_coefficient: float = 0.01
    z_loss_coefficient: float = 0.001

    def __post_init__(self) -> None:
        if self.experts < 0:
            raise ValueError(f"experts must not be negative, not {self.experts}")
        if self.experts and not 1 <= self.top_k <= self.experts:
            raise ValueError(f"top_k must lie in 1..{self.experts} (experts), not {self.top_k}")
        _positive(self, "ffn_hidden_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """A decoder-only transformer: RMSNorm, SwiGLU, rotary positions, no biases.

    `kv_heads` below `attention_heads` is grouped-query attention (arXiv:2305.13245).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    layers: int = 2
    hidden_size: int = 64
    ffn_hidden_size: int = 256
    attention_heads: int = 4
    kv_heads: int = 2
    seq_length: int = 128
    rotary_base: int = 10_000
    tie_embeddings: bool = True
    init_std: float = 0.02
    moe: MoEConfig = field(default_factory=MoEConfig)

    def __post_init__(self) -> None:
        _positive(self, "layers", "hidden_size", "ffn_hidden_size", "attention_heads", "kv_heads")
        _positive(self, "seq_length", "rotary_base", "init_std")
        if self.hidden_size % self.attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} does not divide by "
                f"attention_heads {self.attention_heads}"
            )
        if self.attention_heads % self.kv_heads:
            raise ValueError(
                f"attention_heads {self.attention_heads} does not divide by "
                f"kv_heads {self.kv_heads}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay to `min_lr_ratio` of the peak."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    lr: float = 3e-3
    min_lr_ratio: float = 0.1
    warmup_steps: int = 20
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    clip_grad: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "lr", "eps", "clip_grad")
        for name in ("min_lr_ratio", "beta1", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, not {getattr(self, name)}")
        if self.warmup_steps < 0 or self.weight_decay < 0:
            raise ValueError("warmup_steps and weight_decay must not be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ParallelConfig:
    """How the processes share the model; the rest is data parallelism."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1

    def __post_init__(self) -> None:
        _positive(self, "tensor", "pipeline", "expert")
        if self.tensor > 1 or self.pipeline > 1:
            # Expert gradients are silently not reduced over TP when expert-TP is 1 (Megatron
            # 0.16.1), and pipeline stages need a batch path of their own: refused until tested.
            raise ValueError("tensor and pipeline above 1 are not supported by this version")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Which samples a step sees. `validation_fraction` applies when the blend names none."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    seed: int = 1234
    validation_fraction: float = 0.05
    validation_samples: int = 64
    entropy_max_tokens: int = 50_000_000

    def __post_init__(self) -> None:
        _positive(self, "validation_samples", "entropy_max_tokens")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie between 0 and 1, not {self.validation_fraction}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """Length of the run and what happens at which step. 0 switches an interval off."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    steps: int = 200
    global_batch: int = 8
    micro_batch: int = 8
    eval_interval: int = 50
    checkpoint_interval: int = 0
    keep_checkpoints: int = 2
    log_interval: int = 1
    seed: int = 1234
    precision: str = "fp32"

    def __post_init__(self) -> None:
        _positive(self, "steps", "global_batch", "micro_batch", "keep_checkpoints", "log_interval")
        if self.global_batch % self.micro_batch:
            raise ValueError(
                f"global_batch {self.global_batch} does not divide by "
                f"micro_batch {self.micro_batch}"
            )
        if self.eval_interval < 0 or self.checkpoint_interval < 0:
            raise ValueError("eval_interval and checkpoint_interval must not be negative")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, not {self.precision!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One named, complete training configuration."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    name: str
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        experts = self.model.moe.experts
        if self.parallel.expert > 1 and experts % self.parallel.expert:
            raise ValueError(
                f"moe.experts {experts} does not divide by parallel.expert {self.parallel.expert}"
            )
        if self.parallel.expert > 1 and not experts:
            raise ValueError("parallel.expert above 1 needs moe.experts above 0")


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """Raises `InputError` naming the setting when one is unknown, missing or out of range."""
    try:
        return TypeAdapter(Recipe).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"recipe setting {where}: {message}") from None


def with_overrides(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """The recipe with dotted settings replaced, e.g. `{"loop.steps": 300, "model.moe.top_k": 1}`.

    Strings are converted to the setting's type, so that values of a command line can be passed.
    Raises `InputError` naming an unknown or bad setting.
    """
    values = dataclasses.asdict(recipe)
    for key, value in overrides.items():
        *path, last = key.split(".")
        section: Any = values
        for part in path:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            known = ", ".join(sorted(_settings(Recipe)))
            raise InputError(f"recipe setting {key}: unknown; the settings are {known}")
        if isinstance(section[last], dict):
            raise InputError(f"recipe setting {key}: is a section; set one of its values")
        section[last] = value
    return recipe_from_dict(values)


def _settings(cls: Any, prefix: str = "") -> list[str]:
    names: list[str] = []
    hints = get_type_hints(cls)
    for item in dataclasses.fields(cls):
        kind = hints[item.name]
        if dataclasses.is_dataclass(kind):
            names += _settings(kind, f"{prefix}{item.name}.")
        else:
            names.append(prefix + item.name)
    return names
