"""Bytes of the two models, against figures worked out by hand."""

from dataclasses import replace

import pytest

from fakes.models import NEMOTRON, QWEN
from trtllm_install.model.architecture import Architecture, parse_architecture
from trtllm_install.model.memory import EngineSettings, Tenant
from trtllm_install.plan.memory.needs import graph_sizes, kv_per_token, needs_of, workspace

SETTINGS = EngineSettings(
    backend="_autodeploy", max_batch_size=4, max_num_tokens=8192, max_seq_len=32768
)


def architecture(config: dict[str, object]) -> Architecture:
    found = parse_architecture(config)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("config", "quantization", "dtype", "expected"),
    [
        (QWEN, "", "auto", 98_304),
        (QWEN, "FP8", "auto", 49_152),
        (QWEN, "", "fp8", 49_152),
        (QWEN, "FP8", "bfloat16", 98_304),  # the engine's YAML has the last word
        (QWEN, "NVFP4", "auto", 27_648),  # 4 bits and a scale byte for every 16
        (NEMOTRON, "", "auto", 6_144),
        (NEMOTRON, "FP8", "auto", 3_072),
    ],
)
def test_kv_bytes_of_one_token(
    config: dict[str, object], quantization: str, dtype: str, expected: int
) -> None:
    settings = replace(SETTINGS, kv_dtype=dtype)
    assert kv_per_token(architecture(config), settings, quantization) == expected


@pytest.mark.parametrize(("parallel", "expected"), [(2, 49_152), (4, 24_576), (8, 24_576)])
def test_heads_are_split_between_ranks_and_none_is_split_in_two(
    parallel: int, expected: int
) -> None:
    settings = replace(SETTINGS, tensor_parallel=parallel)
    assert kv_per_token(architecture(QWEN), settings, "") == expected


@pytest.mark.parametrize(
    ("dtype", "config", "slot"),
    [
        ("auto", NEMOTRON, 23 * (64 * 64 * 128 * 2 + 6144 * 3 * 2)),
        ("float32", NEMOTRON, 23 * (64 * 64 * 128 * 4 + 6144 * 3 * 2)),
        (
            "auto",
            {**NEMOTRON, "mamba_ssm_cache_dtype": "float32"},
            23 * (64 * 64 * 128 * 4 + 6144 * 3 * 2),
        ),
    ],
)
def test_state_is_kept_for_every_slot_and_one_more(
    dtype: str, config: dict[str, object], slot: int
) -> None:
    settings = replace(SETTINGS, state_dtype=dtype, max_batch_size=8)
    tenant = Tenant(
        name="n", gpus=(0,), weights=1, architecture=architecture(config), settings=settings
    )
    needs = needs_of(tenant, architecture(config))
    assert (needs.state_per_slot, needs.state) == (slot, 9 * slot)


@pytest.mark.parametrize(
    ("backend", "batch", "named", "expected"),
    [
        ("_autodeploy", 4, None, (1, 4)),
        ("_autodeploy", 300, None, (1, *range(16, 128, 16), 128, 256, 300)),
        ("_autodeploy", 4, (1, 2, 8), (1, 2)),
        ("_autodeploy", 4, (), ()),
        ("pytorch", 16, None, (1, 2, 4, 8, 16)),
        ("pytorch", 2048, (1, 256), (1,)),
    ],
)
def test_graphs_are_captured_up_to_the_batch_size(
    backend: str, batch: int, named: tuple[int, ...] | None, expected: tuple[int, ...]
) -> None:
    settings = replace(SETTINGS, backend=backend, max_batch_size=batch, graph_sizes=named)
    assert graph_sizes(settings) == expected


def test_autodeploy_computes_logits_for_every_token() -> None:
    qwen = architecture(QWEN)
    more = workspace(qwen, SETTINGS) - workspace(qwen, replace(SETTINGS, backend="pytorch"))
    assert more == 8192 * 151936 * 2 - 4 * 151936 * 4
