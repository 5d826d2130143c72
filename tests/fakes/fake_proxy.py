"""What the proxy of a fake host answers: completions, its generation and its keys."""

import json
from typing import TYPE_CHECKING

from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import mark_of, parse_keys
from trtllm_install.model.errors import HostError

if TYPE_CHECKING:
    from fakes.fake_systemd import FakeSystemd

LOCAL_KEY = "trtllm-local-fake"


def answer_admin(systemd: "FakeSystemd") -> None:
    """Take the admin socket; it refuses while no proxy runs. Keys are in force at once."""

    def keys() -> str | None:
        raw = systemd.host.read(layout.PROXY_KEYS)
        return None if raw is None else mark_of(parse_keys(raw.decode(), layout.PROXY_KEYS))

    def answer(document: dict[str, object]) -> Answer:
        if "proxy" not in systemd.pids:
            raise HostError("cannot ask the proxy: connection refused", hint="")
        return Answer(status=200, body=json.dumps(document).encode())

    for path, said in {
        "/-/generation": lambda: {"generation": systemd.served_generation, "keys": keys() or ""},
        "/-/key": lambda: {"key": None if keys() is None else LOCAL_KEY},
    }.items():
        systemd.host.answer_http(
            "GET", path, lambda _, said=said: answer(said()), unix_socket=layout.PROXY_ADMIN_SOCKET
        )


def completion(body: bytes | None) -> Answer:
    """Answer as a model does that has one word to say."""
    model = json.loads(body or b"{}")["model"]
    answer = {
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": "Hello"}}],
        "usage": {"completion_tokens": 3},
    }
    return Answer(status=200, body=json.dumps(answer).encode())
