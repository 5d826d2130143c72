"""Tiny checkpoints for the simulated engine: every file a check looks at, real but small."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache

_SHARD_BYTES = 64 * 1024
_ROWS = 128
_BF16 = 2  # bytes

# Shapes of the two models, so that memory sums made from config.json come out as for the
# real ones. The size of the real files goes with them: the simulated ones are 130 KiB.
SIZE_KEY = "_simulated_weights_bytes"
_QWEN: Mapping[str, object] = {
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
    "tie_word_embeddings": False,
    SIZE_KEY: 18_100_000_000,  # computed: 4.5 bit experts and attention, the rest in bfloat16
}
_NEMOTRON: Mapping[str, object] = {
    "architectures": ["NemotronHForCausalLM"],
    "model_type": "nemotron_h",
    "num_hidden_layers": 52,
    "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
    "hidden_size": 2688,
    "vocab_size": 131072,
    "n_groups": 8,
    "num_attention_heads": 32,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1856,
    "max_position_embeddings": 262144,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "mamba_num_heads": 64,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "conv_kernel": 4,
    "auto_map": {"AutoConfig": "configuration_nemotron_h.NemotronHConfig"},
    SIZE_KEY: 19_339_781_632,  # total_size of the real index, revision ce1b118a
}
_OTHER: Mapping[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 128,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "vocab_size": 128,
    "max_position_embeddings": 32768,
}


def simulated_checkpoint(model_id: str) -> dict[str, bytes]:
    """Return a valid checkpoint as relative file name → content, about 130 KiB in all.

    The same model id gives the same bytes. ``config.json`` carries ``"_simulated": true``.
    """
    tensors = ("model.embed_tokens.weight", "lm_head.weight")
    shards = [f"model-{n:05}-of-{len(tensors):05}.safetensors" for n in (1, 2)]
    files = {
        "config.json": _json(_config(model_id)),
        "generation_config.json": _json({"_from_model_config": True}),
        "hf_quant_config.json": _json(_quantisation(model_id)),
        "tokenizer.json": _json(_tokenizer()),
        "tokenizer_config.json": _json({"tokenizer_class": "PreTrainedTokenizerFast"}),
    }
    sizes = 0
    for shard, tensor in zip(shards, tensors, strict=True):
        files[shard], size = _shard(model_id, tensor)
        sizes += size
    index = {
        "metadata": {"total_size": sizes},
        "weight_map": dict(zip(tensors, shards, strict=True)),
    }
    files["model.safetensors.index.json"] = _json(index)
    return files


def _config(model_id: str) -> dict[str, object]:
    name = model_id.lower()
    shape = _QWEN if "qwen" in name else _NEMOTRON if "nemotron" in name else _OTHER
    return {"_simulated": True, "_name_or_path": model_id, "dtype": "bfloat16", **shape}


def _quantisation(model_id: str) -> dict[str, object]:
    # Nemotron's NVFP4 checkpoint caches in FP8 (its model card); Qwen's was not looked up.
    cache = "FP8" if "nemotron" in model_id.lower() else None
    return {
        "producer": {"name": "modelopt", "version": "0.0.0+simulated"},
        "quantization": {
            "quant_algo": "NVFP4",
            "kv_cache_quant_algo": cache,
            "group_size": 16,
            "exclude_modules": ["lm_head"],
        },
    }


def _tokenizer() -> dict[str, object]:
    words = ["<unk>", "<s>", "</s>", "simulated"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(words)},
            "unk_token": "<unk>",
        },
    }


@cache  # a look and the plan after it ask for the same few files
def _shard(model_id: str, tensor: str) -> tuple[bytes, int]:
    """Return one safetensors file: length of the header, header, data."""
    columns = _SHARD_BYTES // (_ROWS * _BF16)
    size = _ROWS * columns * _BF16
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            tensor: {"dtype": "BF16", "shape": [_ROWS, columns], "data_offsets": [0, size]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    data = hashlib.shake_256(f"{model_id}/{tensor}".encode()).digest(size)
    return len(header).to_bytes(8, "little") + header + data, size


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"
