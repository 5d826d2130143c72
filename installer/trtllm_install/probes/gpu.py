"""Reads the NVIDIA driver and its GPUs through NVML, in a process with a time limit."""

import json
import posixpath
import re
import sys
from collections.abc import Mapping
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import (
    DriverFault,
    DriverProblem,
    Gpu,
    GpuFacts,
    GpuMemory,
    GpuProcess,
    LostGpu,
    Unknown,
)
from trtllm_install.model.installation import Installation
from trtllm_install.probes.ownership import is_ours, name_of, recorded_pids

TIME_LIMIT_S: Final = 10.0
CHILD: Final = posixpath.join(posixpath.dirname(__file__), "nvml_child.py")
KERNEL_MODULE: Final = "/proc/driver/nvidia/version"
SIMULATED_MEMORY: Final = 180 * 2**30  # of a B200

# NVML_ERROR_* of nvml.h
_NOT_SUPPORTED: Final = 3
_FAULTS: Final[dict[int, DriverFault]] = {
    4: "no-permission",
    9: "not-loaded",
    12: "library-missing",
    15: "gpu-lost",
    18: "mismatch",
}


def probe_gpus(host: Host, *, python: str = sys.executable) -> GpuFacts | DriverProblem | Unknown:
    """Return what NVML says, or why it says nothing; takes 10 s at most."""
    module = _kernel_module(host)
    start = host.monotonic()
    try:
        ended = host.run([python, "-I", CHILD], timeout=TIME_LIMIT_S)
    except HostError as error:
        if host.monotonic() - start < TIME_LIMIT_S:
            return Unknown(reason=error.message)
        detail = f"NVML gave no answer in {TIME_LIMIT_S:g} s"
        return DriverProblem(fault="timeout", detail=detail, kernel_module=module)
    try:
        return _answer(host, json.loads(ended.stdout), module)
    except (ValueError, KeyError, TypeError, AttributeError):
        last = (ended.stderr.strip() or ended.stdout.strip() or "no output").splitlines()[-1]
        detail = f"the NVML process ended with {ended.code}: {last[:200]}"
        return DriverProblem(fault="failed", detail=detail, kernel_module=module)


def simulated_gpus(installation: Installation) -> GpuFacts:
    """Return the GPUs of a simulated host: as many as the instances name, one at least."""
    named = sorted({gpu for instance in installation.instances for gpu in instance.gpus})
    highest = max((int(g) for g in named if g.isdecimal()), default=0)
    uuids = [g for g in named if not g.isdecimal()]
    count = max(highest + 1, len(uuids))
    ids = uuids + [f"GPU-simulated-{n}" for n in range(len(uuids), count)]
    memory = GpuMemory(total=SIMULATED_MEMORY, free=SIMULATED_MEMORY)
    gpus = tuple(
        Gpu(index=n, name="Simulated GPU", uuid=uuid, capability=(10, 0), memory=memory)
        for n, uuid in enumerate(ids)
    )
    return GpuFacts(driver="simulated", cuda=(13, 0), gpus=gpus, simulated=True)


def _kernel_module(host: Host) -> str:
    """Return the version that the loaded kernel module states, empty where none is loaded."""
    try:
        text = (host.read(KERNEL_MODULE, limit=4096) or b"").decode(errors="replace")
    except HostError:
        return ""
    stated = re.search(r"^NVRM version:.*?\s(\d+\.\d[\d.]*)\s", text, re.MULTILINE)
    return stated[1] if stated else ""


def _answer(host: Host, answer: Mapping[str, object], module: str) -> GpuFacts | DriverProblem:
    if "code" in answer:
        return DriverProblem(
            fault=_FAULTS.get(int(str(answer["code"])), "failed"),
            detail=str(answer["text"]),
            kernel_module=module,
        )
    cuda = int(str(answer["cuda"]))  # 13000 is 13.0
    listed = answer["gpus"]
    if not isinstance(listed, list):
        raise TypeError
    return GpuFacts(
        driver=str(answer["driver"]),
        cuda=(cuda // 1000, cuda % 1000 // 10),
        gpus=tuple(_gpu(host, g) for g in listed if "code" not in g),
        lost=tuple(
            LostGpu(index=int(g["index"]), detail=str(g["text"])) for g in listed if "code" in g
        ),
    )


def _gpu(host: Host, said: Mapping[str, object]) -> Gpu:
    capability, mig, running = said["capability"], said["mig"], said["processes"]
    if not isinstance(capability, list):
        raise TypeError
    modes = mig if isinstance(mig, list) else [0, 0]  # not supported is not enabled
    return Gpu(
        index=int(str(said["index"])),
        name=str(said["name"]),
        uuid=str(said["uuid"]),
        capability=(int(capability[0]), int(capability[1])),
        memory=_memory(said["memory"]),
        mig=bool(modes[0]),
        mig_pending=bool(modes[1]),
        processes=tuple(_process(host, p) for p in running) if isinstance(running, list) else (),
    )


def _process(host: Host, said: Mapping[str, object]) -> GpuProcess:
    pid, memory = int(str(said["pid"])), said["memory"]
    return GpuProcess(
        pid=pid,
        name=name_of(host, pid),
        memory=memory if isinstance(memory, int) else None,
        ours=is_ours(host, pid, recorded_pids(host)),
    )


def _memory(said: object) -> GpuMemory | Unknown | None:
    """Return bytes; None where the driver does not support the question (unified memory)."""
    if not isinstance(said, dict):
        raise TypeError
    if said.get("code") == _NOT_SUPPORTED:
        return None
    if "code" in said:
        return Unknown(reason=str(said.get("text")))
    # GB10 was also seen to answer with success and a total of 0 (nvitop PR 208).
    if said["total"] == 0:
        return None
    return GpuMemory(total=int(said["total"]), free=int(said["free"]))
