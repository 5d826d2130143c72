"""The schemas that editors use agree with what the tool accepts."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from trtllm_install import resources
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.config.schemas import ProfileShape, SiteShape, json_schema
from trtllm_install.model.errors import ConfigError

PROFILE = json_schema(ProfileShape, "trtllm-install profile")
SITE = json_schema(SiteShape, "trtllm-install site file")
MINE = "description: mine\ninstances:\n  - {name: a, model: m, port: 8001"


def accepted(schema: dict[str, Any], text: str) -> bool:
    return bool(Draft202012Validator(schema).is_valid(yaml.safe_load(text)))


def taken(schema: dict[str, Any], text: str) -> bool:
    try:
        if schema is PROFILE:
            parse_profile(text, "mine.yaml")
        else:
            parse_site(text, "site.yaml", frozenset({"qwen"}))
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("schema", [PROFILE, SITE])
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", ["profile", "site"])
def test_the_shipped_schema_is_the_one_of_the_code(name: str) -> None:
    shipped = json.loads(resources.read_text(f"configs/schema/{name}.schema.json"))
    assert shipped == {"profile": PROFILE, "site": SITE}[name]


@pytest.mark.parametrize("name", resources.names("configs/profiles", ".yaml"))
def test_every_shipped_profile_passes(name: str) -> None:
    assert accepted(PROFILE, resources.read_text(f"configs/profiles/{name}"))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (PROFILE, f"{MINE}, gpus: [0, 1]}}\n"),
        (PROFILE, f"{MINE}, gpus: ['0', GPU-0a, MIG-1b]}}\n"),
        (PROFILE, f"{MINE}, arguments: [--tp_size, 2, --log_level, info]}}\n"),
        (PROFILE, f"{MINE}, engine_config: mine.yaml, aliases: [gpt]}}\n"),
        (SITE, "port: 9000\nlisten: 127.0.0.1\nweights_dir: /srv/w\n"),
        (
            SITE,
            "instances: {qwen: {gpus: [1], free_gpu_memory_fraction: 0.3, max_batch_size: 2}}\n",
        ),
        (SITE, "proxy: {first_byte_s: 60}\n"),
    ],
)
def test_what_the_tool_takes_an_editor_does_not_underline(
    schema: dict[str, Any], text: str
) -> None:
    assert taken(schema, text)
    assert accepted(schema, text)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (PROFILE, f"{MINE}, prot: 1}}\n"),
        (PROFILE, f"{MINE}, gpus: [-1]}}\n"),
        (PROFILE, f"{MINE}, gpus: [GPU]}}\n"),
        (PROFILE, "description: mine\ninstances: []\n"),
        (PROFILE, "description: mine\ninstances:\n  - {name: A, model: m, port: 8001}\n"),
        (SITE, "prot: 9000\n"),
        (SITE, "port: 65536\n"),
        (SITE, "weights_dir: relative\n"),
        (SITE, "instances: {qwen: {free_gpu_memory_fraction: 1.5}}\n"),
    ],
)
def test_what_the_tool_refuses_an_editor_underlines(schema: dict[str, Any], text: str) -> None:
    assert not taken(schema, text)
    assert not accepted(schema, text)
