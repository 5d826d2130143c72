"""What a checkpoint's config.json says of the memory that its model needs besides the weights.

Names are those of Hugging Face transformers; the hybrid patterns are NVIDIA's Nemotron-H
("M" Mamba, "*" attention, "E" experts, "-" MLP: configuration_nemotron_h.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_BYTES: Final = {"float32": 4, "float16": 2, "bfloat16": 2, "float": 4, "half": 2}
_ATTENTION: Final = frozenset({"attention", "full_attention", "sliding_attention", "*"})
_RECURRENT: Final = frozenset({"mamba", "mamba2", "linear_attention", "M"})
# Layers beyond these are a mistake or an attack: no sum is made of them.
_MOST_LAYERS: Final = 4096
_LARGEST: Final = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The state that Mamba-like layers keep for each running sequence, however long it is."""

    layers: int
    state: int  # numbers of the recurrent state of one layer
    conv: int  # numbers of the convolution's memory of one layer
    dtype: str = ""  # of the recurrent state, where config.json says one


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes that decide about memory."""

    attention_layers: int
    kv_heads: int
    kv_width: int  # numbers that one layer caches for one token: keys and values of every head
    number: int  # bytes of an unquantized number
    hidden: int
    vocabulary: int
    experts_per_token: int = 0
    expert_width: int = 0
    recurrence: Recurrence | None = None


def parse_architecture(config: Mapping[str, object]) -> Architecture | None:
    """Return the sizes that ``config`` states; None where it is of a kind that is not known.

    Never guesses a size: a missing number makes the whole unknown. Models with several
    parts (vision and text) state the text part under ``text_config``.
    """
    inner = config.get("text_config")
    said = _Said({**config, **inner} if isinstance(inner, Mapping) else config)
    try:
        return _read(said)
    except _UnsaidError:
        return None


def _read(said: "_Said") -> Architecture:
    kinds = _kinds(said)
    attention = sum(k in _ATTENTION for k in kinds)
    recurrent = sum(k in _RECURRENT for k in kinds)
    heads = said.number("num_key_value_heads", said.number("num_attention_heads", 0))
    if rank := said.number("kv_lora_rank", 0):  # multi-head latent attention: DeepSeek
        width, heads = rank + said.number("qk_rope_head_dim"), 1
    elif attention:
        width = 2 * heads * _head_width(said)
    else:
        width = 0
    if attention and not width:
        raise _UnsaidError
    return Architecture(
        attention_layers=attention,
        kv_heads=heads,
        kv_width=width,
        number=_BYTES.get(said.word("dtype") or said.word("torch_dtype"), 2),
        hidden=said.number("hidden_size", 0),
        vocabulary=said.number("vocab_size", 0),
        experts_per_token=said.number("num_experts_per_tok", 0),
        expert_width=said.number("moe_intermediate_size", 0),
        recurrence=_recurrence(said, recurrent) if recurrent else None,
    )


def _kinds(said: "_Said") -> list[str]:
    """Return the kind of every layer, in order; a model that lists none has attention in all."""
    pattern = said.word("hybrid_override_pattern")
    listed = said.config.get("layers_block_type") or said.config.get("layer_types")
    kinds = list(pattern) if pattern else listed
    if isinstance(kinds, list) and kinds:
        known = {*_ATTENTION, *_RECURRENT, "moe", "mlp", "E", "-"}
        if len(kinds) > _MOST_LAYERS or not all(isinstance(k, str) and k in known for k in kinds):
            raise _UnsaidError
        return kinds
    if any(key.startswith(("mamba_", "attn_layer_", "linear_")) for key in said.config):
        raise _UnsaidError  # a hybrid that says its order in a way not known here
    layers = said.number("num_hidden_layers")
    if layers > _MOST_LAYERS:
        raise _UnsaidError
    return ["attention"] * layers


def _head_width(said: "_Said") -> int:
    stated = said.number("head_dim", said.number("attention_head_dim", 0))
    return stated or said.number("hidden_size") // (said.number("num_attention_heads") or 1)


def _recurrence(said: "_Said", layers: int) -> Recurrence:
    if heads := said.number("mamba_num_heads", 0):  # Mamba 2: Nemotron-H
        inner = heads * said.number("mamba_head_dim")
        size = said.number("ssm_state_size")
        channels = inner + 2 * said.number("n_groups") * size
        state, kernel = inner * size, said.number("conv_kernel")
    else:  # gated delta net: Qwen3-Next
        keys = said.number("linear_num_key_heads") * said.number("linear_key_head_dim")
        values = said.number("linear_num_value_heads") * said.number("linear_value_head_dim")
        channels, kernel = 2 * keys + values, said.number("linear_conv_kernel_dim")
        state = values * said.number("linear_key_head_dim")
    return Recurrence(
        layers=layers,
        state=state,
        conv=channels * max(kernel - 1, 0),
        dtype=said.word("mamba_ssm_cache_dtype") or said.word("mamba_ssm_dtype"),
    )


class _UnsaidError(Exception):
    """A number that the sum cannot do without is not there, or is none."""


@dataclass(frozen=True, slots=True)
class _Said:
    config: Mapping[str, object]

    def number(self, key: str, default: int | None = None) -> int:
        value = self.config.get(key, default)
        if value is None:
            value = default
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            raise _UnsaidError
        return value

    def word(self, key: str) -> str:
        value = self.config.get(key)
        return value if isinstance(value, str) else ""
