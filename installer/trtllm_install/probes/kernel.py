"""Reads kernel, C library and the limit of locked memory."""

import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import Kernel

RELEASE: Final = "/proc/sys/kernel/osrelease"
MACHINE: Final = "/proc/sys/kernel/arch"  # since Linux 6.1
LIMITS: Final = "/proc/self/limits"
_PARTS: Final = 2


def probe_kernel(host: Host) -> Kernel | Unknown:
    """Return release and machine, as the kernel's own files or uname(1) say them."""
    try:
        said = [host.read(path, limit=256) or b"" for path in (RELEASE, MACHINE)]
        if all(said):
            release, machine = (text.decode(errors="replace").strip() for text in said)
            return Kernel(release=release, machine=machine)
        words = host.run(["uname", "-r", "-m"], timeout=10.0).stdout.split()
    except HostError as error:
        return Unknown(reason=error.message)
    if len(words) != _PARTS:
        return Unknown(reason=f"uname -r -m said {' '.join(words)[:100] or 'nothing'}")
    return Kernel(release=words[0], machine=words[1])


def probe_glibc(host: Host) -> str | Unknown:
    """Return glibc's version, empty where the C library is another one."""
    try:
        ended = host.run(["getconf", "GNU_LIBC_VERSION"], timeout=10.0)
    except HostError as error:
        return Unknown(reason=error.message)
    stated = re.match(r"glibc (\d+\.\d+)", ended.stdout)
    return stated[1] if stated else ""


def probe_locked_memory(host: Host) -> int | Unknown | None:
    """Return how many bytes a process of the caller may lock, None for no limit.

    It is the hard limit that counts: a service may raise its own up to that.
    """
    try:
        text = (host.read(LIMITS, limit=65536) or b"").decode(errors="replace")
    except HostError as error:
        return Unknown(reason=error.message)
    stated = re.search(r"^Max locked memory\s+\S+\s+(\d+|unlimited)\s", text, re.MULTILINE)
    if stated is None:
        return Unknown(reason=f"{LIMITS} states no limit of locked memory")
    return None if stated[1] == "unlimited" else int(stated[1])
