"""What one rank of an instance takes on its GPU, from its files and its settings.

Exact where the files say it (weights, KV cache, Mamba state); the rest are the bounds
below, each with its source. docs/explanation/gpu-memory.md tells how far to trust them.
"""

from typing import Final

from trtllm_install.model.architecture import Architecture, Recurrence
from trtllm_install.model.memory import EngineSettings, Needs, Tenant

MIB: Final = 2**20
# Measured on an H100, driver 580.159.04: a bare context takes 527 MiB, PyTorch 2.11 after
# one bf16 product 685 MiB. What TensorRT-LLM loads on top of that was not measured.
CONTEXT: Final = 1024 * MIB
# "up to 200 MB for each graph": TensorRT-LLM, llm_args.py, the field cuda_graph_config.
GRAPH: Final = 200 * 10**6
# Copies of the hidden state that live at once in a forward pass: residual, norm, attention
# in and out, MLP in and out. A bound, not a measurement.
_HIDDEN_COPIES: Final = 12
# One more slot than sequences, for the padding of CUDA graphs (AutoDeploy, interface.py).
_SPARE_SLOTS: Final = 1
_PYTORCH_LARGEST_GRAPH: Final = 128  # CudaGraphConfig.max_batch_size
_STATE_BYTES: Final = {"float32": 4, "float16": 2, "bfloat16": 2}


def needs_of(tenant: Tenant, architecture: Architecture) -> Needs:
    """Return what one rank of ``tenant`` takes."""
    settings = tenant.settings
    slot = _state_per_slot(architecture, settings)
    return Needs(
        weights=-(-tenant.weights // settings.ranks),
        context=CONTEXT,
        workspace=workspace(architecture, settings),
        state=slot * (settings.max_batch_size + _SPARE_SLOTS) if slot else 0,
        graphs=GRAPH * len(graph_sizes(settings)),
        kv_per_token=kv_per_token(architecture, settings, tenant.kv_quantization),
        state_per_slot=slot,
    )


def kv_per_token(architecture: Architecture, settings: EngineSettings, quantization: str) -> int:
    """Return bytes of KV cache for one token on one rank: attention layers only."""
    layers = -(-architecture.attention_layers // max(1, settings.pipeline_parallel))
    heads = max(1, architecture.kv_heads)
    mine = -(-heads // max(1, settings.tensor_parallel))
    numbers = layers * -(-architecture.kv_width * mine // heads)
    dtype = settings.kv_dtype.lower()
    if dtype in {"", "auto"}:
        dtype = quantization.lower()  # as the checkpoint states it, and never assumed
    if "fp4" in dtype:
        return -(-numbers * 9 // 16)  # four bits, and a byte of scale for every sixteen
    if dtype in {"fp8", "int8", "fp8_e4m3", "float8_e4m3fn"}:
        return numbers
    return numbers * _STATE_BYTES.get(dtype, architecture.number)


def graph_sizes(settings: EngineSettings) -> tuple[int, ...]:
    """Return the batch sizes for which a CUDA graph is captured.

    Where the YAML names none, with AutoDeploy: 1, every 16 to 128, every 128 above, and
    max_batch_size (configs/contract); else 1, 2, 4 and every 8 to 128 (CudaGraphConfig).
    """
    largest = settings.max_batch_size
    if settings.backend == "_autodeploy":
        default = {1, *range(16, 128, 16), *range(128, largest + 1, 128), largest}
    else:
        largest = min(largest, _PYTORCH_LARGEST_GRAPH)
        default = {1, 2, 4, *range(8, largest + 1, 8)}
    sizes = default if settings.graph_sizes is None else {*settings.graph_sizes}
    return tuple(sorted(size for size in sizes if size <= largest))


def workspace(architecture: Architecture, settings: EngineSettings) -> int:
    """Return a bound for the activations of a forward pass over max_num_tokens."""
    tokens, number = settings.max_num_tokens, architecture.number
    width = _HIDDEN_COPIES * architecture.hidden
    width += architecture.experts_per_token * (2 * architecture.expert_width + architecture.hidden)
    # AutoDeploy computes logits for every token unless gather_logits_before_lm_head is on;
    # the PyTorch backend for the last one of each sequence, in 32 bits.
    if settings.backend == "_autodeploy":
        logits = tokens * architecture.vocabulary * number
    else:
        logits = min(settings.max_batch_size, tokens) * architecture.vocabulary * 4
    return tokens * width * number + logits


def _state_per_slot(architecture: Architecture, settings: EngineSettings) -> int:
    recurrence = architecture.recurrence
    if recurrence is None:
        return 0
    state = recurrence.state * _state_number(architecture, recurrence, settings)
    per_layer = state + recurrence.conv * architecture.number
    layers = -(-recurrence.layers // max(1, settings.pipeline_parallel))
    return layers * -(-per_layer // max(1, settings.tensor_parallel))


def _state_number(
    architecture: Architecture, recurrence: Recurrence, settings: EngineSettings
) -> int:
    """Return bytes of a number of the state: "auto" is what config.json says (KvCacheConfig)."""
    dtype = settings.state_dtype if settings.state_dtype != "auto" else recurrence.dtype
    return _STATE_BYTES.get(dtype, architecture.number)
