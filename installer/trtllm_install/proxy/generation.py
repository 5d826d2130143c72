"""Asks the running proxy which configuration answers, instead of sleeping after a reload."""

import json

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed, HostError

_WITHIN_S = 15.0


def served_generation(host: Host) -> str | None:
    """Return the generation that the proxy answers with, None when it does not answer."""
    try:
        answer = host.http("GET", "/-/generation", timeout=2, unix_socket=layout.PROXY_ADMIN_SOCKET)
        return str(json.loads(answer.body)["generation"])
    except (HostError, ValueError, KeyError, TypeError):
        return None


def await_generation(host: Host, wanted: str) -> None:
    """Return once the new configuration answers; raises GateFailed after 15 s.

    nginx keeps the old workers when it cannot use a new configuration, and says so only
    in its log: asking is the one way to know.
    """
    deadline = host.monotonic() + _WITHIN_S
    while (served := served_generation(host)) != wanted:
        if host.monotonic() > deadline:
            raise GateFailed(
                f"cannot reload the proxy: it answers with generation {served}, not {wanted}",
                hint="trtllm-install logs proxy",
            )
        host.pause(0.05)
