"""Small real safetensors checkpoints, written by the library that defines the format."""

import ctypes
import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import TensorSpec, serialize

from fakes.fake_host import FakeHost

MODELOPT = {"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}}
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def shard(names: Sequence[str], *, each: int = 16) -> bytes:
    """Return a safetensors file with these tensors of ``each`` bytes."""
    memory = ctypes.create_string_buffer(max(each, 1))
    spec = TensorSpec(dtype="uint8", shape=[each], data_ptr=ctypes.addressof(memory), data_len=each)
    return bytes(serialize(dict.fromkeys(names, spec), {"format": "pt"}))


def add_checkpoint(host: FakeHost, folder: str, *, owner: str = "me") -> None:
    """Put a complete NVFP4 checkpoint of two shards there."""
    host.add_directory(folder, owner=owner, group=owner)
    for name, content in checkpoint().items():
        host.add_file(f"{folder}/{name}", content, owner=owner, group=owner)


def write_checkpoint(folder: Path) -> None:
    """Write the same into a real folder, which is made."""
    folder.mkdir(parents=True)
    for name, content in checkpoint().items():
        (folder / name).write_bytes(content)


def checkpoint() -> dict[str, bytes]:
    """Return the files of a complete NVFP4 checkpoint of two shards."""
    config = {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"]}
    index = {
        "metadata": {"total_size": 3 * 16},
        "weight_map": {"a": SHARDS[0], "b": SHARDS[0], "c": SHARDS[1]},
    }
    return {
        "config.json": json.dumps(config).encode(),
        "hf_quant_config.json": json.dumps(MODELOPT).encode(),
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        SHARDS[0]: shard(["a", "b"]),
        SHARDS[1]: shard(["c"]),
    }
