"""Reads which configuration files of ours are gone."""

from collections.abc import Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout


def probe_removed(host: Host, paths: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``paths`` that are configuration and are not there, sorted."""
    return tuple(sorted(p for p in paths if layout.is_configuration(p) and host.look(p) is None))
