"""The process that talks to NVML: prints one JSON document and ends.

It runs apart from the tool, by its path and with ``python -I``, because NVML hangs
on a sick GPU and can then be left behind. It imports nothing of ours.
"""

import json
import sys
from collections.abc import Callable

import pynvml


def main() -> None:
    """Print what NVML says: ``{"driver", "cuda", "gpus"}`` or ``{"code", "text"}``."""
    try:
        pynvml.nvmlInit()
        answer = _host()
    except pynvml.NVMLError as error:
        answer = _told(error)
    sys.stdout.write(json.dumps(answer))


def _host() -> dict[str, object]:
    count = pynvml.nvmlDeviceGetCount()
    return {
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "cuda": pynvml.nvmlSystemGetCudaDriverVersion_v2(),
        "gpus": [_gpu(index) for index in range(count)],
    }


def _gpu(index: int) -> dict[str, object]:
    """Return one GPU; a GPU without handle, name or capability is an error as a whole."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        gpu: dict[str, object] = {
            "index": index,
            "name": pynvml.nvmlDeviceGetName(handle),
            "uuid": pynvml.nvmlDeviceGetUUID(handle),
            "capability": pynvml.nvmlDeviceGetCudaComputeCapability(handle),
        }
    except pynvml.NVMLError as error:
        return {"index": index, **_told(error)}
    gpu["memory"] = _asked(lambda: _memory(handle))
    gpu["mig"] = _asked(lambda: pynvml.nvmlDeviceGetMigMode(handle))
    gpu["processes"] = _asked(lambda: _processes(handle))
    return gpu


def _memory(handle: object) -> dict[str, int]:
    info = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {"total": info.total, "free": info.free}


def _processes(handle: object) -> list[dict[str, object]]:
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return [{"pid": p.pid, "memory": p.usedGpuMemory} for p in running]


def _asked(question: Callable[[], object]) -> object:
    try:
        return question()
    except pynvml.NVMLError as error:
        return _told(error)


def _told(error: "pynvml.NVMLError") -> dict[str, object]:
    return {"code": error.value, "text": str(error)}


if __name__ == "__main__":
    main()
