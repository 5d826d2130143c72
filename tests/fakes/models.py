"""config.json of the two models, as far as memory goes.

Qwen: Qwen/Qwen3-30B-A3B, config.json (NVIDIA's FP4 checkpoint has the same sizes).
Nemotron: nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B, config.json; weights are the total_size of
the NVFP4 checkpoint's index, revision ce1b118ae66ec705d02c241525192832eb045fd3.
"""

from typing import Any, Final

from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.memory import EngineSettings, MemoryPlan, Room, Tenant
from trtllm_install.plan.memory.shares import plan_memory

QWEN: Final[dict[str, Any]] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "num_hidden_layers": 48,
    "hidden_size": 2048,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
}
QWEN_BYTES: Final = 18_100_000_000  # computed, not read from a listing

NEMOTRON: Final[dict[str, Any]] = {
    "architectures": ["NemotronHForCausalLM"],
    "model_type": "nemotron_h",
    "num_hidden_layers": 52,
    "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
    "hidden_size": 2688,
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "mamba_num_heads": 64,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "conv_kernel": 4,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1856,
    "vocab_size": 131072,
    "max_position_embeddings": 262144,
    "torch_dtype": "bfloat16",
}
NEMOTRON_BYTES: Final = 19_339_781_632


def planned(free: int = 80 * 2**30) -> MemoryPlan:
    """Return the plan of Qwen alone on one GPU."""
    settings = EngineSettings(
        backend="_autodeploy", max_batch_size=4, max_num_tokens=8192, max_seq_len=32768
    )
    tenant = Tenant(
        name="qwen",
        gpus=(0,),
        weights=QWEN_BYTES,
        architecture=parse_architecture(QWEN),
        settings=settings,
    )
    return plan_memory([Room(index=0, name="GPU", total=free, free=free)], [tenant])
