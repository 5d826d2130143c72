"""Profiles and site files: what is accepted, and every problem told at once with its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtllm_install import resources
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.model.errors import ConfigError

KNOWN = frozenset({"qwen", "nemotron"})


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_profile(text, "mine.yaml")
    return caught.value.message


def site_refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_site(text, "site.yaml", KNOWN)
    return caught.value.message


@pytest.mark.parametrize("name", ["qwen", "nemotron", "multi"])
def test_every_shipped_profile_is_valid(name: str) -> None:
    profile = parse_profile(resources.read_text(f"configs/profiles/{name}.yaml"), name)
    assert profile.instances


def test_multi_starts_qwen_then_nemotron_behind_port_8000() -> None:
    profile = parse_profile(resources.read_text("configs/profiles/multi.yaml"), "multi")
    assert [(i.name, i.port, i.after) for i in profile.instances] == [
        ("qwen", 8001, []),
        ("nemotron", 8002, ["qwen"]),
    ]
    assert profile.proxy is not None
    assert profile.proxy.port == 8000


def test_every_problem_is_told_with_its_line_and_the_nearest_key() -> None:
    message = refusal(
        "description: mine\n"
        "instances:\n"
        "  - name: a\n"
        "    model: m\n"
        "    prot: 8001\n"
        '    port: "9"\n'
        "    backend: x\n"
        "    backend: y\n"
        "proxi: {}\n"
    )
    assert "4 problems" in message
    assert "mine.yaml:5: instances.0.prot: unknown key; did you mean port?" in message
    assert "mine.yaml:6: instances.0.port: must be a valid integer: '9'" in message
    assert "mine.yaml:8: instances.0.backend: given twice, first on line 7" in message
    assert "mine.yaml:9: proxi: unknown key; did you mean proxy?" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "mine.yaml:1: cannot parse YAML"),
        ("- 1\n", "must be a mapping"),
        ("", "description: missing"),
        ("\x00", "cannot parse YAML"),
        ("description: d\ninstances: []\n", "instances"),
        ("1: a\ndescription: d\n", "keys must be text"),
    ],
)
def test_malformed_text_is_refused_with_its_place(text: str, told: str) -> None:
    assert told in refusal(text)


def two(
    first: dict[str, object] | None = None,
    second: dict[str, object] | None = None,
    proxy_port: int | None = 8000,
) -> str:
    """A profile of two instances; JSON is YAML."""
    instances = [
        {"name": "a", "model": "m", "port": 8001, **(first or {})},
        {"name": "b", "model": "n", "port": 8002, **(second or {})},
    ]
    profile: dict[str, object] = {"description": "d", "instances": instances}
    if proxy_port:
        profile["proxy"] = {"port": proxy_port}
    return json.dumps(profile)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (two(second={"port": 8001}), "already the port of a"),
        (two(second={"name": "a"}), "already taken: a"),
        (two(second={"name": "proxy"}), "already taken: proxy"),
        (two(first={"after": ["b"]}), "must be an instance listed above a: b"),
        (two(first={"after": ["a"]}), "must be an instance listed above a: a"),
        (two(proxy_port=None), "several instances need a proxy section"),
        (two(proxy_port=8002), "already the port of b"),
        (two(first={"arguments": ["--port", "1"]}), "--port is set by the installer; use port"),
        (two(first={"arguments": ["--config=x"]}), "use engine_config"),
        ("description: none\ninstances: []\n", "instances: must have at least 1 item, not 0: []"),
        (two(first={"engine_config": "../x.yaml"}), "the name of a YAML file, without a folder"),
    ],
)
def test_contradictions_between_instances_are_refused(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wieghts_dir: /x\n", "site.yaml:1: wieghts_dir: unknown key; did you mean weights_dir?"),
        ("instances:\n  qwn: {}\n", "site.yaml:2: instances.qwn: no profile has this instance"),
        ("instances: {qwen: {prt: 1}}\n", "did you mean port?"),
        ("instances: {qwen: {free_gpu_memory_fraction: 1.5}}\n", "less than 1"),
        ("instances: {qwen: {weights: rel}}\n", "must be an absolute path"),
        ("weights_dir: relative\n", "must be an absolute path: 'relative'"),
        ("port: 70000\n", "less than or equal to 65535"),
    ],
)
def test_mistakes_in_the_site_file_are_told_with_their_line(text: str, told: str) -> None:
    assert told in site_refusal(text)


def test_an_empty_site_file_changes_nothing() -> None:
    site = parse_site("# nothing yet\n", "site.yaml", KNOWN)
    assert site.weights_dir is None
    assert site.instances == {}


@given(st.text(max_size=200))
def test_any_text_is_a_profile_or_a_config_error(text: str) -> None:
    message = ""
    try:
        parse_profile(text, "any.yaml")
    except ConfigError as error:
        message = error.message
    assert not message or "any.yaml" in message
