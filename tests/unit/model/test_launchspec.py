"""Launch specs: what is written is read back, and what is wrong is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtllm_install.model.launchspec import LaunchSpec

GOOD: dict[str, Any] = {
    "schema": 1,
    "name": "qwen",
    "kind": "engine",
    "argv": ["/opt/trtllm/engines/current/bin/trtllm-serve", "serve", "/w/Qwen3"],
    "environment": {"PATH": "/usr/bin", "LANG": "C.UTF-8"},
    "host": "127.0.0.1",
    "port": 8001,
    "after": ["nemotron"],
    "after_failed": "hold",
    "after_limit_s": 900,
    "health_path": "/health",
    "generate_path": "/health_generate",
    "generate_timeout_s": 120,
    "no_progress_s": 600,
    "stop_grace_s": 60,
    "drain_s": 30,
    "gpus": ["0"],
    "gpu_bytes": {"0": 31_000_000_000},
    "gpu_argv": ["/opt/trtllm/tool/bin/python3", "-I"],
    "unified_memory": False,
    "admission_s": 600,
    "weights": "/w/My Qwen3",
    "weights_bytes": 18_000_000_000,
    "preread": True,
    "cache_dir": "/var/lib/trtllm/qwen/cache/1.3.0rc2",
    "run_dir": "/run/trtllm",
    "state_dir": "/var/lib/trtllm/qwen",
    "canary_idle_s": 60,
}


def test_a_spec_is_written_with_every_key_and_one_newline_at_the_end() -> None:
    text = LaunchSpec.from_json(json.dumps(GOOD)).to_json()
    assert json.loads(text) == GOOD
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")


def test_key_order_does_not_depend_on_the_source() -> None:
    shuffled = {key: GOOD[key] for key in sorted(GOOD, reverse=True)}
    shuffled["environment"] = {"LANG": "C.UTF-8", "PATH": "/usr/bin"}
    text = LaunchSpec.from_json(json.dumps(shuffled)).to_json()
    assert text == LaunchSpec.from_json(json.dumps(GOOD)).to_json()
    assert list(json.loads(text)) == list(GOOD)


def test_only_what_has_no_sensible_default_is_required() -> None:
    required = ("schema", "name", "kind", "argv", "environment", "host", "port")
    spec = LaunchSpec.from_json(json.dumps({key: GOOD[key] for key in required}))
    assert spec.state_dir == "/var/lib/trtllm/qwen"
    assert spec.run_dir == "/run/trtllm"
    assert spec.health_path == "/health"
    assert spec.generate_path is None
    assert (spec.drain_s, spec.stop_grace_s, spec.canary_idle_s) == (30, 60, 60)
    assert (spec.after_failed, spec.after_limit_s, spec.admission_s) == ("continue", None, 600)
    assert (spec.weights, spec.gpu_bytes, spec.gpu_argv, spec.cache_dir) == (None, {}, (), None)
    assert not spec.preread
    assert not spec.unified_memory


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("schema", 2, "schema: expected 1, found 2"),
        ("name", "Qwen!", "name: expected lower case letters"),
        ("name", "../x", "name: "),
        ("kind", "sidecar", "kind: expected one of engine, proxy, found 'sidecar'"),
        ("argv", [], r"argv\[0\]: expected a program"),
        ("argv", ["a", 3], r"argv\[1\]: expected text, found 3"),
        ("argv", "serve", "argv: expected a list"),
        ("environment", {"A": 1}, r"environment\.A: expected text"),
        ("environment", {"A=B": "1"}, r"environment\.A=B: not a name"),
        ("environment", [], "environment: expected an object"),
        ("host", "", "host: expected text"),
        ("port", 0, "port: expected a port from 1 to 65535, found 0"),
        ("port", 65536, "port: "),
        ("port", True, "port: "),
        ("port", "8001", "port: expected a port from 1 to 65535, found '8001'"),
        ("after", ["q w"], r"after\[0\]: "),
        ("health_path", "health", "health_path: expected a path that begins with /"),
        ("health_path", "/a b", "health_path: "),
        ("generate_path", 5, "generate_path: "),
        ("no_progress_s", -1, "no_progress_s: expected seconds"),
        ("drain_s", float("inf"), "drain_s: "),
        ("drain_s", float("nan"), "drain_s: "),
        ("after_failed", "ignore", "after_failed: expected continue or hold, found 'ignore'"),
        ("after_limit_s", "1h", "after_limit_s: expected seconds"),
        ("gpu_bytes", {"0": -1}, r"gpu_bytes\.0: expected bytes, 0 or more, found -1"),
        ("gpu_bytes", [1], "gpu_bytes: expected an object"),
        ("weights_bytes", 1.5, "weights_bytes: expected bytes"),
        ("preread", "yes", "preread: expected true or false, found 'yes'"),
        ("cache_dir", "cache", "cache_dir: expected a path that begins with /"),
        ("gpus", [0], r"gpus\[0\]: expected text, found 0"),
        ("run_dir", "run", "run_dir: "),
        ("ports", 1, "ports: unknown key"),
    ],
)
def test_a_wrong_key_is_named(key: str, value: object, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        LaunchSpec.from_json(json.dumps({**GOOD, key: value}))


@pytest.mark.parametrize("key", ["name", "kind", "argv", "environment", "host", "port"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: missing"):
        LaunchSpec.from_json(json.dumps({k: v for k, v in GOOD.items() if k != key}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_text_that_is_no_object_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        LaunchSpec.from_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(GOOD)),
)
def test_any_value_is_either_kept_or_a_value_error(value: object, key: str) -> None:
    text = json.dumps({**GOOD, key: value})
    try:
        spec = LaunchSpec.from_json(text)
    except ValueError:
        return
    assert LaunchSpec.from_json(spec.to_json()).to_json() == spec.to_json()


def test_liveness_is_written_only_where_it_differs() -> None:
    spec = LaunchSpec.from_json(json.dumps({**GOOD, "liveness": {"busy_s": 60}}))
    assert spec.liveness.busy_s == 60
    assert json.loads(spec.to_json())["liveness"] == {"busy_s": 60}
    assert "liveness" not in json.loads(LaunchSpec.from_json(json.dumps(GOOD)).to_json())


@pytest.mark.parametrize("wrong", [{"busy": 1}, {"busy_s": -1}, {"busy_s": "1"}, [1]])
def test_liveness_that_is_wrong_is_named(wrong: object) -> None:
    with pytest.raises(ValueError, match="liveness"):
        LaunchSpec.from_json(json.dumps({**GOOD, "liveness": wrong}))
