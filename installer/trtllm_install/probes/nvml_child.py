"""The process that talks to NVML: prints one JSON document and ends.

It runs apart from the tool, by its path and with ``python -I``, because NVML hangs
on a sick GPU and can then be left behind. It imports nothing of ours.
"""

import ctypes
import json
import sys
from collections.abc import Callable

import pynvml

# Our own code for an answer that pynvml itself could not make sense of.
NONSENSE = -1


def main() -> None:
    """Print what NVML says: ``{"driver", "cuda", "gpus"}`` or ``{"code", "text"}``."""
    answer = _asked(_host)
    sys.stdout.write(json.dumps(answer))


def _host() -> dict[str, object]:
    pynvml.nvmlInit()
    count = pynvml.nvmlDeviceGetCount()
    return {
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "cuda": pynvml.nvmlSystemGetCudaDriverVersion_v2(),
        "gpus": [_gpu(index) for index in range(count)],
    }


def _gpu(index: int) -> dict[str, object]:
    """Return one GPU; a GPU without handle, UUID or capability is an error as a whole."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        gpu: dict[str, object] = {
            "index": index,
            "uuid": pynvml.nvmlDeviceGetUUID(handle),
            "capability": pynvml.nvmlDeviceGetCudaComputeCapability(handle),
        }
    except Exception as error:  # noqa: BLE001 (told as what this one GPU answered)
        return {"index": index, **_told(error)}
    for name, question in QUESTIONS.items():
        gpu[name] = _asked(lambda question=question: question(handle))  # type: ignore[misc]
    return gpu


def _memory(handle: object) -> dict[str, int]:
    info = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {"total": info.total, "free": info.free}


def _processes(handle: object) -> list[dict[str, object]]:
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return [{"pid": p.pid, "memory": p.usedGpuMemory} for p in running]


def _uncorrected(handle: object, since: int) -> int:
    kind = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
    count: int = pynvml.nvmlDeviceGetTotalEccErrors(handle, kind, since)
    return count


def _recovery(handle: object) -> int:
    """Return the driver's own verdict; a field value carries an error code of its own."""
    (value,) = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(value.nvmlReturn)
    return int(value.value.uiVal)


def _slowed(handle: object) -> int:
    try:
        reasons: int = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except pynvml.NVMLError_FunctionNotFound:  # its name before R535
        reasons = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return reasons


def _fabric(handle: object) -> dict[str, int]:
    info = pynvml.c_nvmlGpuFabricInfoV_t()
    pynvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    return {"state": info.state, "status": info.status}


# Each is asked by itself: one that fails leaves the others standing.
QUESTIONS: dict[str, Callable[[object], object]] = {
    "name": pynvml.nvmlDeviceGetName,
    "pci": lambda h: pynvml.nvmlDeviceGetPciInfo(h).busId,
    "minor": pynvml.nvmlDeviceGetMinorNumber,
    "memory": _memory,
    "mig": pynvml.nvmlDeviceGetMigMode,
    "processes": _processes,
    "ecc": lambda h: pynvml.nvmlDeviceGetEccMode(h)[0],
    "ecc_errors": lambda h: _uncorrected(h, pynvml.NVML_VOLATILE_ECC),
    "ecc_errors_ever": lambda h: _uncorrected(h, pynvml.NVML_AGGREGATE_ECC),
    "remapped_rows": pynvml.nvmlDeviceGetRemappedRows,
    "pages_pending": pynvml.nvmlDeviceGetRetiredPagesPendingStatus,
    "recovery": _recovery,
    "persistence": pynvml.nvmlDeviceGetPersistenceMode,
    "compute_mode": pynvml.nvmlDeviceGetComputeMode,
    "clocks": _slowed,
    "fabric": _fabric,
}


def _asked(question: Callable[[], object]) -> object:
    try:
        answer = question()
    except Exception as error:  # noqa: BLE001 (told, never lost: see _told)
        return _told(error)
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def _told(error: Exception) -> dict[str, object]:
    if isinstance(error, pynvml.NVMLError):
        return {"code": error.value, "text": str(error)}
    return {"code": NONSENSE, "text": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
