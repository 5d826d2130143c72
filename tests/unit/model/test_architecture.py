"""Sizes as config.json says them; what it does not say is never guessed."""

from typing import Any

import pytest

from fakes.models import NEMOTRON, QWEN
from trtllm_install.model.architecture import parse_architecture


def test_every_layer_of_qwen_has_attention() -> None:
    found = parse_architecture(QWEN)
    assert found is not None
    assert (found.attention_layers, found.kv_width, found.number) == (48, 2 * 4 * 128, 2)
    assert found.recurrence is None


def test_a_hybrid_caches_in_its_attention_layers_alone() -> None:
    found = parse_architecture(NEMOTRON)
    assert found is not None
    assert found.recurrence is not None
    assert (found.attention_layers, found.kv_width) == (6, 2 * 2 * 128)
    assert (found.recurrence.layers, found.recurrence.state) == (23, 64 * 64 * 128)
    assert found.recurrence.conv == 6144 * 3


def test_layers_may_be_listed_by_name() -> None:
    named = {"M": "mamba", "*": "attention", "E": "moe"}
    listed = [named[letter] for letter in NEMOTRON["hybrid_override_pattern"]]
    config = {**NEMOTRON, "hybrid_override_pattern": None, "layers_block_type": listed}
    assert parse_architecture(config) == parse_architecture(NEMOTRON)


def test_the_text_part_of_a_model_of_several_parts_is_meant() -> None:
    vision = {"model_type": "vl", "num_hidden_layers": 7, "text_config": QWEN}
    assert parse_architecture(vision) == parse_architecture(QWEN)


def test_latent_attention_caches_one_vector() -> None:
    config = {**QWEN, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    found = parse_architecture(config)
    assert found is not None
    assert (found.kv_heads, found.kv_width) == (1, 576)


def test_gated_delta_layers_keep_a_state() -> None:
    config = {
        **QWEN,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    }
    found = parse_architecture(config)
    assert found is not None
    assert found.recurrence is not None
    assert found.recurrence.state == 32 * 128 * 128
    assert found.recurrence.conv == (2 * 16 * 128 + 32 * 128) * 3


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": None},
        {"num_hidden_layers": "48"},
        {"num_hidden_layers": True},
        {"num_hidden_layers": 10**9},
        {"num_key_value_heads": -1},
        {"head_dim": 2**60},
        {"layer_types": ["attention", "something new"]},
        {"mamba_d_state": 16},  # a hybrid that lists no layers
        {"layer_types": ["mamba"], "mamba_num_heads": 4},
    ],
)
def test_what_is_not_said_or_not_known_is_no_architecture(change: dict[str, Any]) -> None:
    assert parse_architecture({**QWEN, **change}) is None
