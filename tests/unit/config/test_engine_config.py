"""Engine YAML: what the site changes, and what the engine would refuse."""

import json

import pytest
import yaml

from trtllm_install import resources
from trtllm_install.config.engine import (
    engine_config_problems,
    engine_settings,
    override,
    with_pin,
)
from trtllm_install.model.contract import parse_contract
from trtllm_install.model.memory import EngineSettings

CONTRACT = parse_contract(json.loads(resources.read_text("configs/contract/1.3.0rc2.json")))


@pytest.mark.parametrize("name", resources.names("configs/engine", ".yaml"))
def test_the_engine_accepts_every_shipped_file(name: str) -> None:
    text = resources.read_text(f"configs/engine/{name}")
    assert engine_config_problems(text, name, "_autodeploy", CONTRACT) == ()


def test_a_misspelt_key_is_told_with_line_and_nearest_key() -> None:
    text = "max_batch_size: 4\nkv_cache_config:\n  free_gpu_memory_fractoin: 0.3\n"
    (problem,) = engine_config_problems(text, "q.yaml", "_autodeploy", CONTRACT)
    assert problem.line == 3
    assert "did you mean" in str(problem)
    assert "free_gpu_memory_fraction" in str(problem)


def test_a_value_of_the_wrong_kind_is_told_with_its_line() -> None:
    (problem,) = engine_config_problems("\nmax_batch_size: many\n", "q", "_autodeploy", CONTRACT)
    assert str(problem).startswith("q:2: max_batch_size: must be")


def test_an_empty_file_is_refused_as_the_engine_refuses_it() -> None:
    assert engine_config_problems("", "q", "_autodeploy", CONTRACT)


def test_an_override_keeps_every_other_key() -> None:
    base = resources.read_text("configs/engine/nano_v3.yaml")
    changes = {"max_batch_size": 2, "kv_cache_config": {"free_gpu_memory_fraction": 0.4}}
    text = override(base, changes, origin="nano_v3.yaml", instance="nemotron")
    assert yaml.safe_load(text) == {
        **yaml.safe_load(base),
        "max_batch_size": 2,
        "kv_cache_config": {"free_gpu_memory_fraction": 0.4},
    }


def test_an_override_without_a_base_stands_alone() -> None:
    text = override("", {"max_seq_len": 8}, origin="", instance="a")
    assert yaml.safe_load(text) == {"max_seq_len": 8}


def settings(text: str | None, *words: str, backend: str = "_autodeploy") -> EngineSettings:
    arguments = CONTRACT.parse_arguments(["serve", "/w", "--backend", backend, *words])
    return engine_settings(text, arguments.values, backend)


def test_memory_settings_are_the_arguments_where_there_is_no_yaml() -> None:
    found = settings(None, "--max_batch_size", "8", "--kv_cache_free_gpu_memory_fraction", "0.4")
    assert (found.max_batch_size, found.max_num_tokens, found.fraction) == (8, 8192, 0.4)
    assert found.max_seq_len == 512  # what _autodeploy takes without being told
    assert settings(None, backend="pytorch").max_seq_len is None
    assert settings(None).max_batch_size == 2048


def test_yaml_wins_over_the_arguments() -> None:
    text = resources.read_text("configs/engine/nano_v3.yaml")
    found = settings(text, "--max_batch_size", "64", "--free_gpu_memory_fraction", "0.9")
    assert (found.max_batch_size, found.max_seq_len, found.fraction) == (4, 32768, 0.5)


@pytest.mark.parametrize(
    ("text", "backend", "sizes"),
    [
        ("max_batch_size: 4", "_autodeploy", ()),  # torch-compile captures none
        ("compile_backend: torch-cudagraph", "_autodeploy", None),
        ("compile_backend: torch-opt\ncuda_graph_batch_sizes: [1, 2]", "_autodeploy", (1, 2)),
        ("max_batch_size: 4", "pytorch", None),
        ("cuda_graph_config: null", "pytorch", ()),
        ("cuda_graph_config: {batch_sizes: [1, 8]}", "pytorch", (1, 8)),
    ],
)
def test_graphs_are_as_the_backend_captures_them(
    text: str, backend: str, sizes: tuple[int, ...] | None
) -> None:
    assert settings(text, backend=backend).graph_sizes == sizes


def test_a_cache_without_a_fraction_is_sized_by_its_cap() -> None:
    found = settings("kv_cache_config: {free_gpu_memory_fraction: 0, max_tokens: 640}")
    assert (found.fraction, found.max_tokens) == (1.0, 640)


def test_ranks_are_what_each_backend_calls_them() -> None:
    assert settings("world_size: 2").ranks == 2
    assert settings(None, "--tp_size", "2", "--pp_size", "2", backend="pytorch").ranks == 4


def test_a_pin_stands_under_what_the_site_says() -> None:
    pin = {"max_tokens": 640, "free_gpu_memory_fraction": 0.9}
    changes = {"max_batch_size": 2, "kv_cache_config": {"free_gpu_memory_fraction": 0.2}}
    assert with_pin(changes, pin) == {
        "max_batch_size": 2,
        "kv_cache_config": {"max_tokens": 640, "free_gpu_memory_fraction": 0.2},
    }
    assert with_pin({}, pin) == {"kv_cache_config": pin}
