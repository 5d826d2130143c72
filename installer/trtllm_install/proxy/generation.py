"""Asks the running proxy what answers: which configuration, which keys, which certificate.

nginx keeps the old workers when it cannot use a new configuration, and says so only in its
log: asking is the one way to know, instead of sleeping after a reload.
"""

import json
from collections.abc import Mapping
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed, HostError

HINT: Final = "trtllm-install logs proxy"
_GENERATION: Final = "generation"
_WITHIN_S: Final = 15.0


def served_generation(host: Host) -> str | None:
    """Return the generation that the proxy answers with, None when it does not answer."""
    marks = read_marks(host)
    return str(marks[_GENERATION]) if marks else None


def await_generation(host: Host, wanted: str) -> None:
    """Return once the new configuration answers; raises GateFailed after 15 s."""
    if not comes_to_serve(host, _GENERATION, wanted):
        served = served_generation(host)
        raise GateFailed(
            f"cannot reload the proxy: it answers with generation {served}, not {wanted}",
            hint=HINT,
        )


def read_marks(host: Host) -> Mapping[str, object] | None:
    """Return what stands for all that every new request meets, None without a proxy."""
    try:
        answer = host.http("GET", "/-/generation", timeout=2, unix_socket=layout.PROXY_ADMIN_SOCKET)
        said = json.loads(answer.body)
    except (HostError, ValueError):
        return None
    return said if isinstance(said, dict) and _GENERATION in said else None


def serves(host: Host, field: str, mark: str) -> bool:
    """Tell whether every new request meets what ``mark`` stands for.

    A proxy of an earlier version that says nothing of it is taken at the word of its reload.
    """
    marks = read_marks(host)
    return marks is not None and marks.get(field, mark) == mark


def comes_to_serve(host: Host, field: str, mark: str, *, within_s: float = _WITHIN_S) -> bool:
    """Return True once ``serves`` is true, False when that has taken longer."""
    deadline = host.monotonic() + within_s
    while not serves(host, field, mark):
        if host.monotonic() > deadline:
            return False
        host.pause(0.05)
    return True
