"""Small real safetensors checkpoints for the fake host."""

import json
from collections.abc import Sequence
from pathlib import Path

from fakes.fake_host import FakeHost

MODELOPT = {"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}}
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def shard(names: Sequence[str], *, each: int = 16) -> bytes:
    """Return a safetensors file with these tensors of ``each`` bytes."""
    header = {
        "__metadata__": {"format": "pt"},
        **{
            name: {"dtype": "U8", "shape": [each], "data_offsets": [n * each, (n + 1) * each]}
            for n, name in enumerate(names)
        },
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(each * len(names))


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
    index = {"weight_map": {"a": SHARDS[0], "b": SHARDS[0], "c": SHARDS[1]}}
    return {
        "config.json": json.dumps(config).encode(),
        "hf_quant_config.json": json.dumps(MODELOPT).encode(),
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        SHARDS[0]: shard(["a", "b"]),
        SHARDS[1]: shard(["c"]),
    }
