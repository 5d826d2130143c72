"""Observes the host around driver, weights and programs: every part by itself."""

import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import SHARED_MEMORY, FileSystem, HostFacts
from trtllm_install.probes.compilers import probe_compilers
from trtllm_install.probes.filesystems import probe_filesystem
from trtllm_install.probes.guards import probe_guards, probe_sleep
from trtllm_install.probes.kernel import probe_glibc, probe_kernel, probe_locked_memory
from trtllm_install.probes.packages import halfway, read_dpkg

DGX: Final = "/etc/dgx-release"
OS_RELEASE: Final = "/etc/os-release"


def probe_host(host: Host, engine_path: str | None = None) -> HostFacts:
    """Return what there is; never raises, and what cannot be read is Unknown by itself."""
    return HostFacts(
        kernel=probe_kernel(host),
        glibc=probe_glibc(host),
        disks=tuple(
            probe_filesystem(host, path)
            for path in (layout.ENGINES, layout.STATE, layout.LOGS, layout.ETC, layout.UNITS)
        ),
        shared_memory=_shared_memory(host),
        locked_memory=probe_locked_memory(host),
        halfway=_halfway(host),
        guards=probe_guards(host),
        sleeps=probe_sleep(host),
        compilers=probe_compilers(host, engine_path),
        dgx=_dgx(host),
        os_release=_text(host, OS_RELEASE),
    )


def _shared_memory(host: Host) -> FileSystem | Unknown | None:
    try:
        if host.look(SHARED_MEMORY) is None:
            return None
    except HostError as error:
        return Unknown(reason=error.message)
    return probe_filesystem(host, SHARED_MEMORY)


def _halfway(host: Host) -> tuple[str, ...] | Unknown:
    try:
        return halfway(read_dpkg(host))
    except HostError as error:
        return Unknown(reason=error.message)


def _dgx(host: Host) -> str:
    """Return DGX_NAME, which NVIDIA's own systems state; empty on any other."""
    stated = re.search(r'^DGX_(?:PRETTY_)?NAME="?([^"\n]+)', _text(host, DGX), re.MULTILINE)
    return stated[1].strip() if stated else ""


def _text(host: Host, path: str) -> str:
    """Return a file that only adds words to a finding, empty where it cannot be read."""
    try:
        return (host.read(path, limit=65536) or b"").decode(errors="replace")
    except HostError:
        return ""
