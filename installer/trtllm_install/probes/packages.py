"""Reads what the distribution's package manager has installed, and what it left half done."""

import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

DPKG: Final = "/var/lib/dpkg/status"
_LIMIT: Final = 64_000_000  # bytes; a desktop with 4000 packages has 6 MB
# dpkg(1): states of a package that is neither away nor ready.
_HALFWAY: Final = re.compile(
    rb"^Package: (\S+)\nStatus: \S+ \S+ "
    rb"(?:half-installed|unpacked|half-configured|triggers-awaited|triggers-pending)$",
    re.MULTILINE,
)


def read_dpkg(host: Host) -> bytes:
    """Return dpkg's own record, empty on a host without dpkg; raises HostError."""
    return host.read(DPKG, limit=_LIMIT) or b""


def halfway(status: bytes) -> tuple[str, ...]:
    """Return the packages that dpkg has left half installed or half configured."""
    return tuple(name.decode(errors="replace") for name in _HALFWAY.findall(status))


def version_in(status: bytes, package: str) -> str:
    """Return the version of an installed package, empty where it is not installed."""
    name = re.escape(package.encode())
    block = re.search(
        rb"^Package: " + name + rb"\nStatus: \S+ ok installed\n(.*?)(?:\n\n|\Z)",
        status,
        re.MULTILINE | re.DOTALL,
    )
    stated = re.search(rb"^Version: (?:\d+:)?(\S+)$", block[1], re.MULTILINE) if block else None
    return stated[1].decode(errors="replace") if stated else ""


def package_version(host: Host, program: str, package: str) -> str:
    """Return the version of the package that brought a program, empty where none did.

    Empty as well where that cannot be read: then the program is judged by what it says.
    """
    if not program.startswith(("/usr/sbin/", "/usr/bin/", "/usr/local/openresty/")):
        return ""
    try:
        if status := read_dpkg(host):
            return version_in(status, package)
        if rpm := host.which("rpm"):
            asked = [rpm, "-qf", "--queryformat", "%{VERSION}-%{RELEASE}", host.resolve(program)]
            ended = host.run(asked, timeout=10.0)
            return ended.stdout.strip() if ended.code == 0 else ""
    except HostError:
        return ""
    return ""
