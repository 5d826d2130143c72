"""Asks the running proxy about its backends, and which of them get no new requests."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, HostError

_TIMEOUT_S = 5.0
_OK = 200
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One backend as the proxy sees it at this moment."""

    name: str
    state: str  # a state of docs/reference/proxy.md
    serving: bool  # requests go through, or would without the drain
    draining: bool
    in_flight: int
    model: str | None = None  # id that it serves, where the proxy says so
    peer: str | None = None  # the peer it belongs to; None on this host

    def is_called(self, name: str) -> bool:
        """Tell whether a drain by this name reaches it: its own, or that of its peer."""
        return name in {self.name, self.peer}


def read_backends(host: Host) -> tuple[Backend, ...]:
    """Return every backend in the proxy's order.

    Raises HostError when no proxy answers, or one that this tool cannot read.
    """
    raw = _ask(host, "GET", "/-/status")
    try:
        backends = json.loads(raw)["backends"]
        return tuple(
            Backend(
                name=name,
                state=str(said["state"]),
                serving=bool(said["serving"]),
                draining=bool(said["draining"]),
                in_flight=int(said["in_flight"]),
                model=said.get("model"),
                peer=said.get("peer"),
            )
            for name, said in sorted(backends.items())
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError(
            "cannot read the status of the proxy: it is not what this version writes",
            hint="sudo trtllm-install restart proxy",
        ) from error


def tell_backend(host: Host, name: str, *, draining: bool) -> None:
    """Let a backend get no new requests, or get them again; raises as ``read_backends`` does."""
    verb = "drain" if draining else "undrain"
    _ask(host, "POST", f"/-/{verb}?name={quote(name, safe='')}")


def _ask(host: Host, method: str, path: str) -> bytes:
    answer = host.http(method, path, timeout=_TIMEOUT_S, unix_socket=layout.PROXY_ADMIN_SOCKET)
    if answer.status == _NOT_FOUND:
        raise ConfigError(
            f"cannot {method} {path}: the proxy has no such backend",
            hint="sudo trtllm-install drain --list",
        )
    if answer.status != _OK:
        raise HostError(
            f"cannot {method} {path}: the proxy answered {answer.status}",
            hint="sudo trtllm-install logs proxy",
        )
    return answer.body
