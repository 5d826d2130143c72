"""Bodies that clients send."""

import pytest

from trtllm_install.simulator.inputs import (
    InvalidRequestError,
    parse_chat,
    parse_completion,
    parse_response,
    read_object,
)

USER = {"role": "user", "content": "hi"}


def test_a_chat_is_read_whole() -> None:
    wanted = parse_chat(
        {
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": None},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "last"}, {"type": "image_url"}],
                },
            ],
            "max_completion_tokens": 7,
            "stop": "x",
            "stream": True,
            "stream_options": {"include_usage": True},
            "chat_template_kwargs": {"enable_thinking": False},
        }
    )
    assert (wanted.system, wanted.prompt.strip()) == ("be brief", "last")
    assert (wanted.limit, wanted.stops, wanted.stream, wanted.include_usage) == (
        7,
        ("x",),
        True,
        True,
    )
    assert not wanted.enable_thinking


def test_a_prompt_may_be_token_numbers() -> None:
    assert parse_completion({"prompt": [1, 2]}).prompt == "1 2"
    assert parse_completion({"prompt": [[1, 2]]}).prompt == "1 2"
    assert parse_completion({"prompt": ["one"]}).prompt == "one"


def test_instructions_of_a_response_are_a_system_message() -> None:
    wanted = parse_response({"input": "hi", "instructions": "/no_think", "store": False})
    assert (wanted.prompt, wanted.system, wanted.store) == ("hi", "/no_think", False)


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ({}, "messages: a list"),
        ({"messages": []}, "messages: a list"),
        ({"messages": ["hi"]}, "messages: each message needs a role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages: content"),
        ({"messages": [USER], "max_tokens": 0}, "max_tokens: should be"),
        ({"messages": [USER], "max_tokens": True}, "max_tokens: should be"),
        ({"messages": [USER], "n": 2}, "n: the simulated engine"),
        ({"messages": [USER], "stream": "yes"}, "stream: should be true or false"),
        ({"messages": [USER], "stop": 3}, "stop: should be"),
        ({"messages": [USER], "stream_options": []}, ""),
    ],
)
def test_what_is_wrong_with_a_chat_is_said(document: dict[str, object], cause: str) -> None:
    if cause:
        with pytest.raises(InvalidRequestError, match=cause):
            parse_chat(document)
    else:
        assert not parse_chat(document).include_usage


@pytest.mark.parametrize("prompt", [None, [], ["a", "b"], [1, "b"], {}])
def test_a_completion_needs_one_prompt(prompt: object) -> None:
    with pytest.raises(InvalidRequestError, match="prompt: one text"):
        parse_completion({"prompt": prompt})


@pytest.mark.parametrize("document", [{}, {"input": []}, {"input": "hi", "stream": True}])
def test_a_response_needs_input_and_is_not_streamed(document: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError):
        parse_response(document)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_must_be_a_json_object(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read_object(body)
