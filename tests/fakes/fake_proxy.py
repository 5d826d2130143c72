"""What the proxy of a fake host answers: completions, its generation and its keys."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Answer, Talk
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import mark_of
from trtllm_install.model.errors import HostError
from trtllm_install.model.pem import Pair
from trtllm_install.proxy.keys import CLIENTS, PEERS, KeyFile, read_keys

if TYPE_CHECKING:
    from fakes.fake_systemd import FakeSystemd

CHAT = "/v1/chat/completions"
LOCAL_KEY = "trtllm-local-fake"


def answer_admin(systemd: "FakeSystemd") -> None:
    """Take the admin socket; it refuses while no proxy runs. Keys are in force at once."""

    def keys(file: KeyFile = CLIENTS) -> str | None:
        there = read_keys(systemd.host, file)
        return None if there is None else mark_of(there)

    def certificate() -> str:
        parts = [systemd.host.read(path) for path in (layout.TLS_CERTIFICATE, layout.TLS_KEY)]
        whole = [part for part in parts if part is not None]
        return Pair(certificate=whole[0], key=whole[1]).mark if len(whole) == len(parts) else ""

    def answer(document: dict[str, object]) -> Answer:
        if "proxy" not in systemd.pids:
            raise HostError("cannot ask the proxy: connection refused", hint="")
        return Answer(status=200, body=json.dumps(document).encode())

    for path, said in {
        "/-/generation": lambda: {
            "generation": systemd.served_generation,
            "keys": keys() or "",
            "peer_keys": keys(PEERS) or "",
            "certificate": certificate(),
        },
        "/-/key": lambda: {"key": None if keys() is None else LOCAL_KEY},
    }.items():
        systemd.host.answer_http(
            "GET", path, lambda _, said=said: answer(said()), unix_socket=layout.PROXY_ADMIN_SOCKET
        )


def answer_cases(host: FakeHost, base: str, models: Sequence[str]) -> None:
    """Answer what `doctor proxy` asks, as the proxy does where keys are set; engines refuse."""
    for path in ("/livez", *(f"/v1/models/{model}" for model in models)):
        host.answer_http("GET", f"{base}{path}", Answer(status=200, body=b"{}"))
    host.answer_http("GET", f"{base}/v1/models", refusal(401, "invalid_api_key"))
    host.answer_http("PUT", f"{base}{CHAT}", refusal(405, "method_not_allowed"))
    for path in ("/update_weights", "/release_memory", "/v1/kv_cache_hints"):
        host.answer_http("POST", f"{base}{path}", refusal(404, "not_found"))
    host.talkers["127.0.0.1", 8000] = refuse_bytes
    for port in (8001, 8002):
        url = f"http://127.0.0.1:{port}{CHAT}"
        host.answer_http("POST", url, refusal(400, "bad_request"))


def refuse_bytes(sent: bytes) -> Talk:
    """Hang up on what HTTP forbids, with what the proxy says first."""
    if sent.startswith(b"GET "):
        return Talk(b"", ended=True)  # the header that never ends
    status, code = 400, "bad_request"
    if len(sent) > 30_000:
        status, code = 431, "headers_too_large"
    elif len(sent) > 9000:
        status, code = 414, "uri_too_long"
    elif b"Encoding: x\r" in sent:
        status, code = 501, "not_implemented"
    answer = b"HTTP/1.1 %d X\r\n\r\n%s" % (status, refusal(status, code).body)
    return Talk(answer, ended=True)


def refusal(status: int, code: str) -> Answer:
    """Return an error in OpenAI's shape."""
    return Answer(status=status, body=json.dumps({"error": {"code": code}}).encode())


def completion(body: bytes | None) -> Answer:
    """Answer as a model does that has one word to say; refuse what the proxy refuses."""
    try:
        asked = json.loads(body or b"")
    except ValueError:
        return refusal(400, "invalid_json")
    if not isinstance(asked, dict):
        return refusal(400, "invalid_json")
    model = asked.get("model")
    if not isinstance(model, str):
        return refusal(400, "model_not_string" if "model" in asked else "model_missing")
    if model == "no-such-model":
        return refusal(404, "model_not_found")
    answer = {
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": "Hello"}}],
        "usage": {"completion_tokens": 3},
    }
    return Answer(status=200, body=json.dumps(answer).encode())
