"""The JSON documents that go back to clients, in the shapes of trtllm-serve."""

from collections.abc import Mapping
from dataclasses import dataclass

OWNER = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every document of one answer has in common."""

    id: str
    model: str
    created: int  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request."""

    prompt: int
    completion: int

    def document(self) -> dict[str, int]:
        """Return the usage object."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


def error_document(
    message: str, *, status: int, kind: str = "BadRequestError"
) -> dict[str, object]:
    """Return an error; trtllm-serve has it flat, without an ``error`` around it."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": status}


def model_list(name: str, created: int) -> dict[str, object]:
    """Return ``/v1/models``: exactly one card."""
    card = {"id": name, "object": "model", "created": created, "owned_by": OWNER}
    return {"object": "list", "data": [card]}


def chat_reply(
    identity: Identity, *, reasoning: str | None, content: str, finish: str, usage: Usage
) -> dict[str, object]:
    """Return a whole chat completion."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": content,
        "reasoning_content": reasoning,
        "tool_calls": [],
    }
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish,
        "stop_reason": None,
    }
    return {
        **_head(identity, "chat.completion"),
        "choices": [choice],
        "usage": usage.document(),
    }


def chat_chunk(
    identity: Identity, delta: Mapping[str, object], *, finish: str | None = None
) -> dict[str, object]:
    """Return one event of a streamed chat completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_head(identity, "chat.completion.chunk"), "choices": [choice]}


def text_reply(identity: Identity, *, text: str, finish: str, usage: Usage) -> dict[str, object]:
    """Return a whole text completion."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {
        **_head(identity, "text_completion"),
        "choices": [choice],
        "usage": usage.document(),
    }


def text_chunk(identity: Identity, text: str, *, finish: str | None = None) -> dict[str, object]:
    """Return one event of a streamed text completion."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {**_head(identity, "text_completion"), "choices": [choice]}


def usage_chunk(identity: Identity, kind: str, usage: Usage) -> dict[str, object]:
    """Return the event with the usage, which has no choices."""
    return {**_head(identity, kind), "choices": [], "usage": usage.document()}


def response_reply(
    identity: Identity, *, text: str, finish: str, usage: Usage
) -> dict[str, object]:
    """Return a whole answer of ``/v1/responses``."""
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "id": identity.id.replace("resp_", "msg_"),
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    whole = finish == "stop"
    return {
        "id": identity.id,
        "object": "response",
        "created_at": identity.created,
        "model": identity.model,
        "status": "completed" if whole else "incomplete",
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "error": None,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt + usage.completion,
        },
    }


def _head(identity: Identity, kind: str) -> dict[str, object]:
    return {
        "id": identity.id,
        "object": kind,
        "created": identity.created,
        "model": identity.model,
    }
