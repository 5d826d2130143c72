"""Engine YAML: what the site changes, and what the engine would refuse."""

import json

import pytest
import yaml

from trtllm_install import resources
from trtllm_install.config.engine import engine_config_problems, override
from trtllm_install.model.contract import parse_contract

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
