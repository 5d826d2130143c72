"""The file of the clients' keys, and the proxy that has taken it in."""

import json
from collections.abc import Sequence
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import ClientKey, mark_of, parse_keys, render_keys
from trtllm_install.model.errors import GateFailed, HostError

_WITHIN_S: Final = 15.0
_MOST: Final = 1 << 20


def read_keys(host: Host) -> tuple[ClientKey, ...] | None:
    """Return the keys, None where there is no file and nobody is asked for one.

    Raises HostError when the file cannot be read, ConfigError when it is damaged.
    """
    raw = host.read(layout.PROXY_KEYS, limit=_MOST)
    return None if raw is None else parse_keys(raw.decode(errors="replace"), layout.PROXY_KEYS)


def write_keys(host: Host, keys: Sequence[ClientKey]) -> None:
    """Replace the file: root writes it, the proxy's user reads it, nobody else does."""
    content = render_keys(keys).encode()
    host.write(layout.PROXY_KEYS, content, mode=0o640, owner="root", group=layout.USER)


def await_keys(host: Host, keys: Sequence[ClientKey]) -> None:
    """Return once every new request is judged by these keys; GateFailed after 15 s."""
    deadline = host.monotonic() + _WITHIN_S
    while _served_mark(host) != mark_of(keys):
        if host.monotonic() > deadline:
            raise GateFailed(
                "cannot reload the proxy: it does not take the new keys",
                hint="trtllm-install logs proxy",
            )
        host.pause(0.05)


def local_key(host: Host) -> str | None:
    """Return a key for requests of this host itself, None where none is asked for.

    It is known to the running proxy only. Raises HostError when no proxy answers.
    """
    answer = host.http("GET", "/-/key", timeout=5, unix_socket=layout.PROXY_ADMIN_SOCKET)
    try:
        key = json.loads(answer.body)["key"]
    except (ValueError, KeyError, TypeError):
        return None  # a proxy from before there were keys
    return None if key is None else str(key)


def _served_mark(host: Host) -> str | None:
    try:
        answer = host.http("GET", "/-/generation", timeout=2, unix_socket=layout.PROXY_ADMIN_SOCKET)
        return str(json.loads(answer.body)["keys"])
    except (HostError, ValueError, KeyError, TypeError):
        return None
