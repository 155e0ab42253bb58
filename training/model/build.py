"""A recipe -> Megatron GPT model, data-parallel wrapper and optimizer.

One configuration serves both back ends: Megatron's local layers in FP32 on a CPU, its
TransformerEngine layers (with grouped expert GEMM) on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.errors import InputError
from training.recipes.config import ModelConfig, Recipe

if TYPE_CHECKING:
    import torch
    from megatron.core.transformer import TransformerConfig

_VOCABULARY_MULTIPLE = 128  # Megatron's own padding: GEMM-friendly on every device


def padded_vocabulary(size: int, tensor_parallel: int = 1) -> int:
    """`size` rounded up so that every tensor-parallel rank holds a multiple of 128 rows."""
    multiple = _VOCABULARY_MULTIPLE * tensor_parallel
    return -(-size // multiple) * multiple


def transformer_config(recipe: Recipe) -> TransformerConfig:
    """Megatron's configuration of the recipe's model for the device at hand."""
    import torch
    import torch.nn.functional as functional
    from megatron.core.transformer import TransformerConfig

    model, on_gpu = recipe.model, torch.cuda.is_available()
    bf16 = recipe.loop.precision == "bf16"
    return TransformerConfig(
        num_layers=model.layers,
        hidden_size=model.hidden_size,
        ffn_hidden_size=model.ffn_hidden_size,
        num_attention_heads=model.attention_heads,
        num_query_groups=model.kv_heads,
        normalization="RMSNorm",
        gated_linear_unit=True,
        activation_func=functional.silu,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        init_method_std=model.init_std,
        bf16=bf16,
        params_dtype=torch.bfloat16 if bf16 else torch.float32,
        pipeline_dtype=torch.bfloat16 if bf16 else torch.float32,
        tensor_model_parallel_size=recipe.parallel.tensor,
        pipeline_model_parallel_size=recipe.parallel.pipeline,
        expert_model_parallel_size=recipe.parallel.expert,
        expert_tensor_parallel_size=1,
        use_cpu_initialization=not on_gpu,
        gradient_accumulation_fusion=False,
        bias_activation_fusion=on_gpu,
        persist_layer_norm=False,
        deterministic_mode=False,
        **_expert_settings(model, on_gpu=on_gpu),
    )


def _expert_settings(model: ModelConfig, *, on_gpu: bool) -> dict[str, Any]:
    if not model.moe.experts:
        return {}
    return {
        "num_moe_experts": model.moe.experts,
        "moe_router_topk": model.moe.top_k,
        "moe_ffn_hidden_size": model.moe.ffn_hidden_size,
        "moe_aux_loss_coeff": model.moe.aux_loss_coefficient,
        "moe_z_loss_coeff": model.moe.z_loss_coefficient,
        "moe_router_load_balancing_type": "aux_loss",
        "moe_token_dispatcher_type": "alltoall",
        "moe_grouped_gemm": on_gpu,
    }


def build_model(recipe: Recipe, vocabulary_size: int) -> torch.nn.Module:
    """The GPT model in Megatron's DistributedDataParallel, weights initialised from the seed.

    `vocabulary_size` is the unpadded size of the blend's vocabulary.
    """
    import torch
    from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_decoder_block_spec

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        _require_transformer_engine()
    config = transformer_config(recipe)
    model = GPTModel(
        config=config,
        transformer_layer_spec=get_gpt_decoder_block_spec(config, use_transformer_engine=on_gpu),
        vocab_size=padded_vocabulary(vocabulary_size, recipe.parallel.tensor),
        max_sequence_length=recipe.model.seq_length,
        position_embedding_type="rope",
        rotary_base=recipe.model.rotary_base,
        share_embeddings_and_output_weights=recipe.model.tie_embeddings,
    )
    if on_gpu:
        model = model.cuda()
    ddp_config = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True, overlap_grad_reduce=False, use_distributed_optimizer=True
    )
    wrapped = DistributedDataParallel(config, ddp_config, model)
    wrapped.broadcast_params()
    return wrapped


def build_optimizer(recipe: Recipe, model: torch.nn.Module) -> Any:
    """Megatron's DistributedOptimizer (AdamW, FP32 moments sharded over data parallelism)."""
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer

    settings = recipe.optimizer
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=settings.lr,
            min_lr=settings.lr * settings.min_lr_ratio,
            weight_decay=settings.weight_decay,
            adam_beta1=settings.beta1,
            adam_beta2=settings.beta2,
            adam_eps=settings.eps,
            clip_grad=settings.clip_grad,
            bf16=recipe.loop.precision == "bf16",
            use_distributed_optimizer=True,
        ),
        [model],
    )
    from training.compat import adam

    if adam.is_needed():
        adam.prefill_state(optimizer)
    return optimizer


def _require_transformer_engine() -> None:
    from importlib.util import find_spec

    if find_spec("transformer_engine") is None:
        raise InputError(
            "transformer_engine: not installed although this machine has a GPU; "
            'install "token-foundry-training[gpu]"'
        )
