"""The files of keys, and the proxy that has taken them in."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import clientkeys, layout, peerkeys
from trtllm_install.model.clientkeys import Key, mark_of, render_keys
from trtllm_install.model.errors import GateFailed
from trtllm_install.proxy.generation import HINT, comes_to_serve, serves

_MOST: Final = 1 << 20
_MODE: Final = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file that the proxy reads when it starts and when it is reloaded."""

    path: str
    said: str  # field of /-/generation that stands for the keys in force
    heading: str
    parse: Callable[[str, str], Sequence[Key]]  # of text and path
    accept: Callable[[str, str, str], Key]  # of a name, a secret and where they stand


CLIENTS: Final = KeyFile(
    path=layout.PROXY_KEYS,
    said="keys",
    heading=clientkeys.HEADING,
    parse=clientkeys.parse_keys,
    accept=clientkeys.accept_key,
)
PEERS: Final = KeyFile(
    path=layout.PEER_KEYS,
    said="peer_keys",
    heading=peerkeys.HEADING,
    parse=peerkeys.parse_peer_keys,
    accept=peerkeys.accept_peer_key,
)


def read_keys(host: Host, file: KeyFile = CLIENTS) -> tuple[Key, ...] | None:
    """Return the keys, None where there is no file: clients are asked for none then.

    Raises HostError when the file cannot be read, ConfigError when it is damaged.
    """
    raw = host.read(file.path, limit=_MOST)
    return None if raw is None else tuple(file.parse(raw.decode(errors="replace"), file.path))


def write_keys(host: Host, keys: Sequence[Key], file: KeyFile = CLIENTS) -> None:
    """Replace the file: root writes it, the proxy's user reads it, nobody else does."""
    content = render_keys(keys, file.heading).encode()
    host.write(file.path, content, mode=_MODE, owner="root", group=layout.USER)


def is_guarded(host: Host, file: KeyFile) -> bool:
    """Tell whether the file is absent, or root's and read by the proxy's user alone."""
    entry = host.look(file.path)
    return entry is None or (
        (entry.kind, entry.mode, entry.owner, entry.group) == ("file", _MODE, "root", layout.USER)
    )


def serves_keys(host: Host, keys: Sequence[Key] | None, file: KeyFile) -> bool:
    """Tell whether every new request meets these keys; None stands for no file."""
    return serves(host, file.said, "" if keys is None else mark_of(keys))


def await_keys(host: Host, keys: Sequence[Key], file: KeyFile = CLIENTS) -> None:
    """Return once every new request meets these keys; GateFailed after 15 s."""
    if not comes_to_serve(host, file.said, mark_of(keys)):
        raise GateFailed("cannot reload the proxy: it does not take the new keys", hint=HINT)


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
