"""Reads the service account, the memory and the tools that an engine needs of the system."""

import json
import posixpath
import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SystemFacts, Unknown

CUDA_PARENT: Final = "/usr/local"
COMPILERS: Final = ("nvcc", "ptxas")
# Open MPI 4.1 and 5.0 both have this name; the file that it leads to tells them apart.
LIBMPI: Final = "libmpi.so.40"
_LIBRARIES: Final = ("/usr/lib64/openmpi/lib", "/usr/lib64", "/usr/local/lib")
# libmpi.so.40.30.N is of 4.1.N, 40.40.N of 5.0.N, 40.20.N of 4.0.N (Open MPI's VERSION files)
_RELEASES: Final = {"10": "3.1", "20": "4.0", "30": "4.1", "40": "5.0"}


def probe_system(host: Host, *, simulate: bool) -> SystemFacts | Unknown:
    """Return what the system offers; a simulated engine needs neither CUDA nor MPI."""
    try:
        total, available = (0, 0) if host.image() else _memory(host)
        home, toolkit = (None, "") if simulate else _toolkit(host)
        return SystemFacts(
            account=host.account_exists(layout.USER),
            memory_total=total,
            memory_available=available,
            cuda_home=home,
            toolkit=toolkit,
            open_mpi=None if simulate else _open_mpi(host),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _memory(host: Host) -> tuple[int, int]:
    text = (host.read("/proc/meminfo", limit=65536) or b"").decode(errors="replace")
    stated = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", text, re.MULTILINE))
    try:
        return int(stated["MemTotal"]) * 1024, int(stated["MemAvailable"]) * 1024
    except KeyError as error:
        message = f"cannot read the size of the memory: /proc/meminfo states no {error.args[0]}"
        raise HostError(message, hint="cat /proc/meminfo") from None


def _toolkit(host: Host) -> tuple[str | None, str]:
    """Return folder and version of a CUDA toolkit: /usr/local/cuda, else the newest beside it."""
    named = [n for n in host.names_in(CUDA_PARENT) if re.fullmatch(r"cuda-\d+(\.\d+)?", n)]
    newest = sorted(named, key=lambda n: [int(x) for x in n[5:].split(".")], reverse=True)
    for folder in (f"{CUDA_PARENT}/{name}" for name in ("cuda", *newest)):
        if any(host.look(host.resolve(f"{folder}/bin/{name}")) for name in COMPILERS):
            return folder, _toolkit_version(host, folder)
    return None, ""


def _toolkit_version(host: Host, folder: str) -> str:
    """Return what version.json of a toolkit states, else what its real folder is called."""
    raw = host.read(host.resolve(f"{folder}/version.json"), limit=65536) or b"{}"
    try:
        stated = json.loads(raw)["cuda"]["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        stated = posixpath.basename(host.resolve(folder)).partition("cuda-")[2]
    return str(stated)[:40]


def _open_mpi(host: Host) -> str | None:
    """Return the version of mpirun, else of the library; empty where neither states one."""
    folders = (f"/usr/lib/{n}" for n in host.names_in("/usr/lib") if n.endswith("-linux-gnu"))
    libraries = [f for f in (*folders, *_LIBRARIES) if LIBMPI in host.names_in(f)]
    program = host.which("mpirun")
    if program is not None and (stated := _mpirun_version(host, program)):
        return stated
    if not libraries:
        return None if program is None else ""
    real = posixpath.basename(host.resolve(f"{libraries[0]}/{LIBMPI}"))
    numbers = real.removeprefix(f"{LIBMPI}.").split(".")
    release = _RELEASES.get(numbers[0])
    return ".".join((release, *numbers[1:])) if release else ""


def _mpirun_version(host: Host, program: str) -> str:
    try:
        said = host.run([program, "--version"], timeout=10.0).stdout
    except HostError:  # it hangs or does not run; the library says it as well
        return ""
    stated = re.search(r"Open MPI\) (\d+\S*)", said)
    return stated[1] if stated else ""
