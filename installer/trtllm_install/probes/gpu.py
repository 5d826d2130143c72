"""Reads the NVIDIA driver and its GPUs through NVML, in a process with a time limit."""

import json
import posixpath
import sys
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import (
    DriverFault,
    DriverProblem,
    Gpu,
    GpuFacts,
    GpuMemory,
    Unknown,
)
from trtllm_install.model.installation import Installation
from trtllm_install.probes.gpu_answer import parse_facts
from trtllm_install.probes.gpu_platform import kernel_module

TIME_LIMIT_S: Final = 10.0
CHILD: Final = posixpath.join(posixpath.dirname(__file__), "nvml_child.py")
SIMULATED_MEMORY: Final = 180 * 2**30  # of a B200

# NVML_ERROR_* of nvml.h
_FAULTS: Final[dict[int, DriverFault]] = {
    4: "no-permission",
    9: "not-loaded",
    12: "library-missing",
    15: "gpu-lost",
    18: "mismatch",
}


def probe_gpus(
    host: Host, *, python: str = sys.executable, limit_s: float = TIME_LIMIT_S
) -> GpuFacts | DriverProblem | Unknown:
    """Return what NVML says, or why it says nothing; takes ``limit_s`` seconds at most."""
    module, _ = kernel_module(host)
    start = host.monotonic()
    try:
        ended = host.run([python, "-I", CHILD], timeout=limit_s)
    except HostError as error:
        if host.monotonic() - start < limit_s:
            return Unknown(reason=error.message)
        detail = f"NVML gave no answer in {limit_s:g} s"
        return DriverProblem(fault="timeout", detail=detail, kernel_module=module)
    try:
        answer = json.loads(ended.stdout)
        if "code" in answer:
            fault = _FAULTS.get(int(answer["code"]), "failed")
            return DriverProblem(fault=fault, detail=str(answer["text"]), kernel_module=module)
        return parse_facts(host, answer)
    except (ValueError, LookupError, TypeError, AttributeError):
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
