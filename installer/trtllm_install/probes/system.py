"""Reads the service account, the memory and the tools that an engine needs of the system."""

import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SystemFacts, Unknown

CUDA_HOME: Final = "/usr/local/cuda"
COMPILERS: Final = ("nvcc", "ptxas")
LIBMPI: Final = "libmpi.so.40"  # Open MPI 4 and 5 both have this name


def probe_system(host: Host, *, simulate: bool) -> SystemFacts | Unknown:
    """Return what the system offers; a simulated engine needs neither CUDA nor MPI."""
    try:
        total, available = _memory(host)
        return SystemFacts(
            account=host.account_exists(layout.USER),
            memory_total=total,
            memory_available=available,
            cuda_home=None if simulate else _cuda_home(host),
            open_mpi=None if simulate else _open_mpi(host),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _memory(host: Host) -> tuple[int, int]:
    text = (host.read("/proc/meminfo", limit=65536) or b"").decode(errors="replace")
    stated = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", text, re.MULTILINE))
    return int(stated.get("MemTotal", 0)) * 1024, int(stated.get("MemAvailable", 0)) * 1024


def _cuda_home(host: Host) -> str | None:
    for program in COMPILERS:
        if host.look(host.resolve(f"{CUDA_HOME}/bin/{program}")) is not None:
            return CUDA_HOME
    return None


def _open_mpi(host: Host) -> str | None:
    program = host.which("mpirun")
    if program is not None and not host.image():
        stated = re.search(r"Open MPI\) (\d+\S*)", host.run([program, "--version"]).stdout)
        if stated:
            return stated[1]
    folders = (f"/usr/lib/{n}" for n in host.names_in("/usr/lib") if n.endswith("-linux-gnu"))
    return "" if any(LIBMPI in host.names_in(f) for f in folders) else None
