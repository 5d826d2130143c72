"""Asks the proxy whether it sees what the launchers say."""

import json
from collections.abc import Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed, HostError
from trtllm_install.model.states import SERVING

_WITHIN_S = 15.0
_OK = 200


def await_proxy_health(host: Host, base: str, names: Sequence[str]) -> None:
    """Return once ``/health`` says that all ``names`` can serve.

    Raises GateFailed with its last answer after 15 s. The proxy looks at the launchers'
    state files four times a second, so a model that has just become healthy may still be
    refused.
    """
    deadline = host.monotonic() + _WITHIN_S
    said = ""
    while True:
        try:
            answer = host.http("GET", f"{base}/health", timeout=2)
            if answer.status == _OK or _all_serve(answer.body, names):
                return
            said = f"HTTP {answer.status}: {answer.body[:300].decode(errors='replace').strip()}"
        except HostError as error:
            said = error.message
        if host.monotonic() > deadline:
            raise GateFailed(
                f"cannot see every model healthy through {base}: {said}",
                hint="trtllm-install status",
            )
        host.pause(0.05)


def _all_serve(body: bytes, names: Sequence[str]) -> bool:
    """Tell whether an answer that is not 200 is so for other backends only."""
    try:
        backends = json.loads(body)["backends"]
        return all(backends[name]["state"] in SERVING for name in names)
    except (ValueError, KeyError, TypeError):
        return False
