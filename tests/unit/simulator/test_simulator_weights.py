"""Checkpoints of the simulated engine pass the checks of real ones."""

# ruff: noqa: E501 (a table is read by the row)

import json
from pathlib import Path

import pytest

from trtllm_install.simulator.checkpoint import LoadError, find_shards
from trtllm_install.simulator.weights import simulated_checkpoint

MODELS = ["nvidia/Qwen3-30B-A3B-FP4", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "meta/other"]


def _write(folder: Path, model: str) -> Path:
    for name, content in simulated_checkpoint(model).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_index_headers_and_lengths_agree(model: str) -> None:
    files = simulated_checkpoint(model)
    index = json.loads(files["model.safetensors.index.json"])
    data = 0
    for tensor, shard in index["weight_map"].items():
        content = files[shard]
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        begin, end = header[tensor]["data_offsets"]
        rows, columns = header[tensor]["shape"]
        assert (begin, end) == (0, rows * columns * 2)
        assert len(content) == 8 + length + end
        data += end
    assert index["metadata"]["total_size"] == data


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        (MODELS[0], "Qwen3MoeForCausalLM"),
        (MODELS[1], "NemotronHForCausalLM"),
        (MODELS[2], "LlamaForCausalLM"),
    ],
)
def test_config_fits_the_name_and_says_simulated(model: str, architecture: str) -> None:
    config = json.loads(simulated_checkpoint(model)["config.json"])
    assert config["architectures"] == [architecture]
    assert config["_simulated"] is True


def test_nemotron_has_as_many_layers_of_each_kind_as_the_model() -> None:
    config = json.loads(simulated_checkpoint(MODELS[1])["config.json"])
    pattern = config["hybrid_override_pattern"]
    counts = [pattern.count(kind) for kind in "ME*"]
    assert counts == [23, 23, 6]
    assert len(pattern) == config["num_hidden_layers"]


def test_the_same_model_gives_the_same_bytes_and_another_does_not() -> None:
    first, again, other = (simulated_checkpoint(model) for model in (*MODELS[:1] * 2, MODELS[1]))
    assert first == again
    assert first["model-00001-of-00002.safetensors"] != other["model-00001-of-00002.safetensors"]


def test_shards_of_a_whole_checkpoint_are_found(tmp_path: Path) -> None:
    shards = find_shards(str(_write(tmp_path, MODELS[0])))
    assert [shard.path.name for shard in shards] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    assert all(shard.size == shard.path.stat().st_size for shard in shards)


def test_without_an_index_every_weight_file_counts(tmp_path: Path) -> None:
    (_write(tmp_path, MODELS[0]) / "model.safetensors.index.json").unlink()
    assert len(find_shards(str(tmp_path))) == 2


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json"),
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "FileNotFoundError.*00002-of"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "index.json"),
        (lambda f: _cut(f / "model-00001-of-00002.safetensors", 1000), "not fully covered"),
        (lambda f: _cut(f / "model-00001-of-00002.safetensors", 20), "header too large"),
        (lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b"\x02" + b"\0" * 7 + b"[]"), "invalid header"),
    ],
)  # fmt: skip
def test_a_spoilt_checkpoint_does_not_load(tmp_path: Path, spoil: object, cause: str) -> None:
    spoil(_write(tmp_path, MODELS[0]))  # type: ignore[operator]
    with pytest.raises(LoadError, match=cause):
        find_shards(str(tmp_path))


def test_a_folder_without_weights_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LoadError, match="no safetensors files"):
        find_shards(str(tmp_path))


def _cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
