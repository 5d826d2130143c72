"""Tells whether the proxy asks its clients for a key."""

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError


def probe_keys(host: Host) -> bool:
    """Return whether the file of the keys is there; what is in it only root may read."""
    try:
        entry = host.look(layout.PROXY_KEYS)
    except HostError:
        return False
    return entry is not None and entry.kind == "file"
