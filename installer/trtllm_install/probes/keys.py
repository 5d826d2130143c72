"""Tells whether the proxy asks its clients for a key, and whether there is one."""

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import SHORTEST, parse_keys
from trtllm_install.model.errors import ConfigError, HostError

_MOST = 1 << 20  # bytes, as the proxy's


def probe_keys(host: Host) -> bool:
    """Return whether the file of the keys is there; what is in it only root may read."""
    try:
        entry = host.look(layout.PROXY_KEYS)
    except HostError:
        return False
    return entry is not None and entry.kind == "file"


def probe_keyless(host: Host) -> bool:
    """Return whether the file of the keys is there and holds none: then nobody is let in.

    False where that cannot be told. Who may not read the file sees its size: a short one
    has no room for a key.
    """
    try:
        entry = host.look(layout.PROXY_KEYS)
        if entry is None or entry.kind != "file":
            return False
        if entry.size < SHORTEST or not host.is_root():
            return entry.size < SHORTEST
        text = (host.read(layout.PROXY_KEYS, limit=_MOST) or b"").decode(errors="replace")
        return not parse_keys(text, layout.PROXY_KEYS)
    except (ConfigError, HostError):
        return False
