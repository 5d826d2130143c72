"""No secret leaves the tool, and what is none stays readable."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trtllm_install.model.secrets import (
    MASK,
    is_secret_name,
    mask,
    mask_argv,
    mask_lines,
    mask_value,
)

SECRETS = st.text("abcdefghijkXYZ0123456789", min_size=12, max_size=24).map(lambda s: f"Q{s}9")
NAMES = st.sampled_from(
    [
        *("token", "password", "keys", "key", "api_key", "api-key", "hf_token", "HF_TOKEN"),
        *("HUGGING_FACE_HUB_TOKEN", "NGC_API_KEY", "db.password", "client_secret", "Authorization"),
    ]
)
PLACES = st.sampled_from(
    [
        "{name}: {secret}",
        "  {name}: '{secret}'  # of the operator",
        "listen: 0.0.0.0\n{name}:\n  - {secret}\n  - other\nport: 8000",
        "{name}:\n- {secret}\nport: 8000",
        "{name}: [a, {secret},\n  {secret}]\nport: 1",
        "{name}: |\n  {secret}\n\nport: 1",
        "{name}:\n  alice: {secret}\n  bob:\n    key: {secret}",
        "+  {name}: {secret}",
        '{{"env": {{"{name}": "{secret}"}}}}',
        "{{'{name}': ['{secret}']}}",
        "env {name}={secret} trtllm-serve",
        'export {name}="{secret}"',
        "serve --{name} {secret} --port 1",
        "serve --{name}={secret}",
        "GET /v1/models?{name}={secret}&x=1",
        "said: Authorization: Bearer {secret}",
        "curl -H 'authorization: bearer {secret}'",
        "curl -H 'Authorization: Bearer KEY{secret}'",
        'curl -H "Authorization: Bearer $KEY" -H "Authorization: Bearer {secret}"',
        "cannot fetch https://me:{secret}@example.org/x",
        "found hf_{secret} in the log",
        "found nvapi-{secret}.",
    ]
)


@given(name=NAMES, secret=SECRETS, place=PLACES)
def test_no_secret_survives_and_no_line_is_lost(name: str, secret: str, place: str) -> None:
    text = place.format(name=name, secret=secret)
    masked = mask(text)
    assert secret not in masked
    assert MASK in masked
    assert masked.count("\n") == text.count("\n")
    assert mask(masked) == masked
    assert "port: 8000" not in text or "port: 8000" in masked


@given(name=NAMES, secret=SECRETS, nested=st.booleans())
def test_values_are_masked_by_their_name(name: str, secret: str, *, nested: bool) -> None:
    value = {"a": [{name: [secret, {"x": secret}] if nested else secret}], "b": f"{name}={secret}"}
    masked = mask_value(value)
    assert secret not in json.dumps(masked)
    assert mask_value(masked) == masked


@given(st.text(max_size=60))
@example("token")
@example("a: 'b\n\tkey:")
def test_any_text_is_masked_into_as_many_lines(text: str) -> None:
    lines = text.split("\n")
    assert len(mask_lines(lines)) == len(lines)
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "max_num_tokens: 8192",
        '  "eos_token": "</s>",',
        "nvidia/Qwen3 answered with 16 tokens in 0.25 s",
        "/etc/trtllm/site.yaml:3: prot: unknown key: did you mean port?",
        "cannot prove qwen: no token: timed out",
        "keys: []",
        "token: null",
        "    restart service   qwen (its inputs changed)",
        "kv_cache_config:\n  free_gpu_memory_fraction: 0.8",
        "http://127.0.0.1:8000/v1/models",
        "tokenizer: auto",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_words_of_a_command_line() -> None:
    argv = ["serve", "--api-key", "hunter22", "--port", "1", "--token=x7", "HF_TOKEN=x7"]
    masked = ["serve", "--api-key", MASK, "--port", "1", f"--token={MASK}", f"HF_TOKEN={MASK}"]
    assert mask_argv(argv) == masked


def test_a_secret_that_is_empty_or_absent_is_shown_as_that() -> None:
    assert mask_value({"token": None, "password": "", "keys": []}) == {
        "token": None,
        "password": "",
        "keys": [],
    }


@pytest.mark.parametrize("name", ["Token", "HF_TOKEN", "my_api_key", "X-Auth-Token", "keys"])
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["tokens", "monkey", "completion_tokens", "keyboard", "eos_token"])
def test_other_names_hold_none(name: str) -> None:
    assert not is_secret_name(name)
