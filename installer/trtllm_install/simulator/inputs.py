"""Reads the JSON that clients send, and says what is wrong with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast


class InvalidRequestError(ValueError):
    """A request that the engine answers with 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client asks for, whichever route it came by."""

    prompt: str  # the last message of the user
    everything: str  # all text of the prompt, for counting
    system: str = ""
    limit: int | None = None  # tokens
    stops: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    ignore_eos: bool = False
    enable_thinking: bool = True
    store: bool = True


def read_object(body: bytes) -> Mapping[str, object]:
    """Return the JSON object in a body; InvalidRequestError when there is none."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise InvalidRequestError(f"JSON decode error: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("Input should be a valid dictionary")
    return document


def parse_chat(document: Mapping[str, object]) -> Wanted:
    """Read a body of ``/v1/chat/completions``."""
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError("messages: a list with at least one message is required")
    texts = [_message(message) for message in messages]
    kwargs = document.get("chat_template_kwargs") or {}
    if not isinstance(kwargs, dict):
        raise InvalidRequestError("chat_template_kwargs: should be a dictionary")
    limit = "max_completion_tokens" if document.get("max_completion_tokens") else "max_tokens"
    return _wanted(
        document, limit, texts, enable_thinking=kwargs.get("enable_thinking") is not False
    )


def parse_completion(document: Mapping[str, object]) -> Wanted:
    """Read a body of ``/v1/completions``: one prompt, as text or as token numbers."""
    prompt = document.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], (str, list)):
        prompt = prompt[0]
    if isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt):
        prompt = " ".join(str(token) for token in prompt)
    if not isinstance(prompt, str):
        raise InvalidRequestError("prompt: one text or one list of token numbers is required")
    return _wanted(document, "max_tokens", [("user", prompt)], enable_thinking=False)


def parse_response(document: Mapping[str, object]) -> Wanted:
    """Read a body of ``/v1/responses``; streaming is not simulated."""
    given = document.get("input")
    if isinstance(given, list) and given:
        texts = [_message(message) for message in given]
    elif isinstance(given, str):
        texts = [("user", given)]
    else:
        raise InvalidRequestError("input: a text or a list of messages is required")
    if document.get("stream"):
        raise InvalidRequestError("stream: responses are not streamed by the simulated engine")
    instructions = document.get("instructions")
    if isinstance(instructions, str):
        texts.insert(0, ("system", instructions))
    return _wanted(document, "max_output_tokens", texts, enable_thinking=True)


def _wanted(
    document: Mapping[str, object],
    limit: str,
    texts: list[tuple[str, str]],
    *,
    enable_thinking: bool,
) -> Wanted:
    if document.get("n") not in (None, 1):
        raise InvalidRequestError("n: the simulated engine gives one choice")
    options = document.get("stream_options") or {}
    if not isinstance(options, dict):
        raise InvalidRequestError("stream_options: should be a dictionary")
    users = [text for role, text in texts if role == "user"]
    return Wanted(
        prompt=users[-1] if users else texts[-1][1],
        everything=" ".join(text for _, text in texts),
        system=" ".join(text for role, text in texts if role == "system"),
        limit=_limit(document, limit),
        stops=_stops(document.get("stop")),
        stream=_flag(document, "stream", default=False),
        include_usage=_flag(options, "include_usage", default=False),
        ignore_eos=_flag(document, "ignore_eos", default=False),
        store=_flag(document, "store", default=True),
        enable_thinking=enable_thinking,
    )


def _message(message: object) -> tuple[str, str]:
    """Return role and text of one message; parts that are not text count for nothing."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidRequestError("messages: each message needs a role")
    content = message.get("content")
    if content is None:
        content = ""
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        content = " ".join(text for text in parts if isinstance(text, str))
    if not isinstance(content, str):
        raise InvalidRequestError("messages: content should be a text or a list of parts")
    return message["role"], content


def _limit(document: Mapping[str, object], key: str) -> int | None:
    limit = document.get(key)
    if limit is None:
        return None
    if type(limit) is not int or limit < 1:
        raise InvalidRequestError(f"{key}: should be a whole number of at least 1")
    return limit


def _stops(stop: object) -> tuple[str, ...]:
    if stop is None:
        return ()
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(word, str) for word in stops):
        raise InvalidRequestError("stop: should be a text or a list of texts")
    return tuple(cast("list[str]", stops))


def _flag(document: Mapping[str, object], key: str, *, default: bool) -> bool:
    flag = document.get(key)
    if flag is None:
        return default
    if not isinstance(flag, bool):
        raise InvalidRequestError(f"{key}: should be true or false")
    return flag
