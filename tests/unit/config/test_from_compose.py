"""A compose file as profiles and a site file."""

import json
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.compose_file import THREE_PROFILES
from trtllm_install import resources
from trtllm_install.config.compose_file import parse_compose
from trtllm_install.config.from_compose import FromCompose, translate_compose
from trtllm_install.config.profile import parse_profile
from trtllm_install.model.contract import parse_contract
from trtllm_install.model.errors import ConfigError

CONTRACT = parse_contract(json.loads(resources.read_text("configs/contract/1.3.0rc2.json")))

ONE = """
services:
  {name}:
    image: tensorrt-llm/release:1.3.0rc2
    command: trtllm-serve /models/acme/Model-7B {arguments}
    volumes: ["/srv/weights:/models:ro"]
    {more}
"""


def translated(text: str, *, variables: dict[str, str] | None = None) -> FromCompose:
    services = parse_compose(
        text, "compose.yml", folder="/home/mika/serve", home="/home/mika", variables=variables or {}
    )
    return translate_compose(services, CONTRACT, default_weights="/home/mika/model_weights")


def one(*, name: str = "llm", arguments: str = "", more: str = "") -> FromCompose:
    return translated(ONE.format(name=name, arguments=arguments, more=more))


def only_instance(found: FromCompose) -> dict[str, object]:
    (text,) = found.profiles.values()
    (instance,) = yaml.safe_load(text)["instances"]
    return dict(instance)


@pytest.mark.parametrize("name", ["qwen", "nemotron", "multi"])
def test_the_deployment_that_is_replaced_comes_to_the_shipped_profiles(name: str) -> None:
    found = translated(THREE_PROFILES)
    ours = parse_profile(found.profiles[name], name)
    path = f"configs/profiles/{name}.yaml"
    shipped = parse_profile(resources.read_text(path), path)
    assert ours.model_dump(exclude={"description"}) == shipped.model_dump(exclude={"description"})
    assert found.site == ""  # ~/model_weights and loopback are the defaults
    assert found.engine == {
        file: f"/home/mika/serve/{file}"
        for file in ("qwen.yaml", "nano_v3.yaml", "qwen_multi.yaml")
    }


def test_another_weights_folder_and_an_open_port_go_to_the_site_file() -> None:
    found = one(more='ports: ["9000:8000"]')
    assert yaml.safe_load(found.site) == {"weights_dir": "/srv/weights", "listen": "0.0.0.0"}
    assert only_instance(found)["port"] == 9000
    assert any("listened on 0.0.0.0" in note for note in found.notes)


def test_a_checkpoint_that_is_mounted_by_itself_is_named_in_the_site_file() -> None:
    found = translated("""
services:
  llm:
    command: trtllm-serve /model
    volumes: [{type: bind, source: /data/acme-7b, target: /model}]
""")
    assert yaml.safe_load(found.site) == {"instances": {"llm": {"weights": "/data/acme-7b"}}}
    assert only_instance(found)["model"] == "acme-7b"


@pytest.mark.parametrize(
    ("more", "gpus"),
    [
        ("environment: {CUDA_VISIBLE_DEVICES: '1,3'}", ["1", "3"]),
        ("gpus: [{device_ids: ['2']}]", ["2"]),
        ("deploy: {resources: {reservations: {devices: [{count: 2}]}}}", ["0", "1"]),
        ("deploy: {resources: {reservations: {devices: [{count: all}]}}}", None),
    ],
)
def test_gpus_are_found_wherever_compose_has_them(more: str, gpus: list[str] | None) -> None:
    assert only_instance(one(more=more)).get("gpus") == gpus


def test_variables_are_those_of_env_or_their_defaults() -> None:
    text = ONE.format(
        name="llm", arguments="--max_batch_size ${BATCH:-8} --tp_size ${TP}", more=""
    ).replace("/srv/weights", "${WEIGHTS-/mnt}/$${x}")
    found = translated(text, variables={"TP": "2"})
    assert only_instance(found)["arguments"] == ["--max_batch_size", "8", "--tp_size", "2"]
    assert yaml.safe_load(found.site) == {"weights_dir": "/mnt/${x}"}


def test_a_shell_around_the_command_is_looked_through() -> None:
    found = translated("""
services:
  llm:
    entrypoint: [bash, -lc]
    image: trt:1.3.0rc2
    command: trtllm-serve
  real:
    entrypoint: []
    command: [bash, -c, "exec trtllm-serve nvidia/Some-Model --port 9000 # here"]
""")
    instance = yaml.safe_load(found.profiles["compose"])["instances"][-1]
    assert instance["model"] == "nvidia/Some-Model"
    assert "arguments" not in instance


def test_what_has_no_counterpart_is_said() -> None:
    found = one(more="environment: {HF_TOKEN: x}\n    profiles: [a]").notes
    assert found == ("service llm: variable HF_TOKEN is not carried over",)
    newer = ONE.replace("1.3.0rc2", "1.3.0rc4").format(name="llm", arguments="", more="")
    assert any("engine add 1.3.0rc4" in note for note in translated(newer).notes)


def test_two_engines_without_a_proxy_get_one() -> None:
    text = (
        ONE.format(name="a", arguments="", more="")
        + """
  b:
    command: trtllm-serve /models/acme/Other --backend pytorch
    volumes: [/srv/weights:/models]
"""
    )
    profile = parse_profile(translated(text).profiles["compose"], "x")
    assert profile.proxy
    assert [i.port for i in profile.instances] == [8001, 8002]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no services"),
        ("[]", "no services"),
        ("services: {a: {image: nginx}}", "no service runs trtllm-serve"),
        ("services: {a: [", "cannot read compose.yml:1"),
        ("services: 3", "no services"),
        ("services: {a: 3, b: null}", "no service runs trtllm-serve"),
    ],
)
def test_a_file_that_serves_no_model_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        translated(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.text("a:/.~$,{} -", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["source", "target", "published", "count"]), inner)
    ),
    max_leaves=6,
)
_KEYS = ["ports", "volumes", "environment", "depends_on", "deploy", "gpus", "profiles", "command"]


@settings(max_examples=20)
@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES))
def test_whatever_a_service_holds_nothing_crashes(more: dict[str, object]) -> None:
    service = {"command": "trtllm-serve /m/x", **more}
    with suppress(ConfigError):
        found = translated(json.dumps({"services": {"a": service}}))
        for name, text in found.profiles.items():
            with suppress(ConfigError):
                parse_profile(text, name)
