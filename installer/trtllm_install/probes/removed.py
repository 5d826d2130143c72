"""Reads which configuration files of ours are gone."""

from collections.abc import Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError


def probe_removed(host: Host, paths: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``paths`` that are configuration and are not there, sorted.

    What the caller may not look at is not taken for removed.
    """
    return tuple(sorted(p for p in paths if layout.is_configuration(p) and _is_gone(host, p)))


def _is_gone(host: Host, path: str) -> bool:
    try:
        return host.look(path) is None
    except HostError:
        return False
