"""Asks the proxy whether it sees what the launchers say."""

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed, HostError

_WITHIN_S = 15.0
_OK = 200


def await_proxy_health(host: Host, base: str) -> None:
    """Return once ``/health`` is 200; raises GateFailed with its last answer after 15 s.

    The proxy looks at the launchers' state files four times a second, so a model that
    has just become healthy may still be refused.
    """
    deadline = host.monotonic() + _WITHIN_S
    said = ""
    while True:
        try:
            answer = host.http("GET", f"{base}/health", timeout=2)
            if answer.status == _OK:
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
