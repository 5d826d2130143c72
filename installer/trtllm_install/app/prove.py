"""A real completion from each model, through the port that clients use."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from trtllm_install.app.reporter import Reporter
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed
from trtllm_install.model.installation import Installation
from trtllm_install.model.receipt import Receipt
from trtllm_install.proxy.health import await_proxy_health
from trtllm_install.proxy.keys import local_key

PROXY = "proxy"
_TIMEOUT_S = 120.0
_PEERS_S = 3.0
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One answered completion."""

    model: str
    tokens: int  # that the engine counted
    seconds: float


def endpoint_url(installation: Installation) -> str:
    """Return where clients of this host reach the models."""
    host, port = installation.endpoint
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104 (compared only)
    return f"http://{local}:{port}"


def prove(host: Host, installed: Receipt, reporter: Reporter) -> Iterator[Proof]:
    """Yield a proof for each model; raises GateFailed for the first that does not answer."""
    base = installed.endpoint
    own = [name for name in installed.order if name != PROXY]
    key = None
    if PROXY in installed.order:
        await_proxy_health(host, base, own)
        key = local_key(host)
    for name, model in zip(own, installed.models, strict=False):
        yield _proof(host, base, model, key, reporter, hint=f"sudo trtllm-install logs {name}")
    for model in installed.models[len(own) :]:
        # A peer may be down while this host is installed: its own gate has to say so.
        if _is_ready(host, base, model):
            yield _proof(host, base, model, key, reporter, hint=f"sudo trtllm-install logs {PROXY}")
        else:
            reporter.note(f"{model} was not tried: none of its peers serves it now")


def _proof(
    host: Host, base: str, model: str, key: str | None, reporter: Reporter, *, hint: str
) -> Proof:
    request = {
        "model": model,
        "messages": [{"role": "user", "content": "Reply with one word."}],
        "max_tokens": 16,
    }
    begun = host.monotonic()
    answer = host.http(
        "POST",
        f"{base}/v1/chat/completions",
        body=json.dumps(request).encode(),
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=_TIMEOUT_S,
    )
    seconds = host.monotonic() - begun
    tokens = _tokens(answer.body) if answer.status == _OK else 0
    if tokens < 1:
        shown = answer.body[:300].decode(errors="replace")
        raise GateFailed(f"cannot prove {model}: HTTP {answer.status}: {shown}", hint=hint)
    reporter.note(f"{model} answered with {tokens} tokens in {seconds:.2f} s")
    return Proof(model=model, tokens=tokens, seconds=seconds)


def _is_ready(host: Host, base: str, model: str) -> bool:
    """Ask the proxy; it has asked the peers within its first second."""
    url = f"{base}/readyz?model={quote(model, safe='')}"
    deadline = host.monotonic() + _PEERS_S
    while host.http("GET", url, timeout=2).status != _OK:
        if host.monotonic() > deadline:
            return False
        host.pause(0.05)
    return True


def _tokens(body: bytes) -> int:
    """Return how many tokens were generated, 0 when this is no completion."""
    try:
        answer = json.loads(body)
        message = answer["choices"][0]["message"]
        text = message.get("content") or message.get("reasoning_content")
        return int(answer["usage"]["completion_tokens"]) if text else 0
    except (ValueError, KeyError, IndexError, TypeError):
        return 0
