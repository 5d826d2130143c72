"""The process that waits for GPU faults: prints one JSON object a line until it is killed.

    python -I -m trtllm_install.probes.gpu_events_child [--once] [GPU]...

A launcher starts it and kills it: NVML hangs on a sick GPU, and a launcher must not. ``GPU``
is a UUID or a number; none means all. It imports pynvml and nothing of ours.

Lines: ``{"watching": [uuid, ...]}`` once; ``{"beat": true, "memory": [...]}`` every few seconds,
which is how a hang shows, with total and free bytes of each GPU;
``{"gpu": uuid, "xid": 79, "recovery": 1}`` (recovery as NVML numbers it, null where the driver
does not know the question); ``{"gpu": uuid, "ecc": true, "recovery": 0}``;
``{"gpu": uuid, "recovery": 2}`` when the driver's verdict changed; ``{"gpu": uuid, "code": 15,
"text": ...}`` for a GPU that answers with an error. ``{"code": 9, "text": ...}`` and exit 1
when NVML cannot be used at all. With ``--once``: one line with what each GPU says now.
"""

import json
import sys
from collections.abc import Callable, Iterator

import pynvml

_WAIT_MS = 5000
_EVENTS = pynvml.nvmlEventTypeXidCriticalError | pynvml.nvmlEventTypeDoubleBitEccError
# What a GPU answers that is lost, or that works no more until it is reset.
_FATAL = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED)


class _Gpu:
    def __init__(self, index: int) -> None:
        self.handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.index = index
        self.uuid = str(pynvml.nvmlDeviceGetUUID(self.handle))
        self.recovery: int | None = 0
        self.code = 0

    def is_one_of(self, wanted: list[str]) -> bool:
        return not wanted or str(self.index) in wanted or self.uuid in wanted


def main(arguments: list[str]) -> int:
    """Watch, or take one look."""
    once = "--once" in arguments
    wanted = [word for word in arguments if word != "--once"]
    try:
        pynvml.nvmlInit()
        gpus = [_Gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
        gpus = [gpu for gpu in gpus if gpu.is_one_of(wanted)]
        if once:
            _say(gpus=[_look(gpu) for gpu in gpus])
            return 0
        _watch(gpus)
    except pynvml.NVMLError as error:
        _say(code=error.value, text=str(error))
    return 1


def _watch(gpus: list[_Gpu]) -> None:
    events = pynvml.nvmlEventSetCreate()
    for gpu in gpus:
        try:
            known = pynvml.nvmlDeviceGetSupportedEventTypes(gpu.handle)
            pynvml.nvmlDeviceRegisterEvents(gpu.handle, _EVENTS & known, events)
        except pynvml.NVMLError as error:
            _tell_error(gpu, error)
        _check(gpu)
    _say(watching=[gpu.uuid for gpu in gpus])
    while True:
        for event in _wait(events):
            _tell_event(gpus, event)
        for gpu in gpus:
            _check(gpu)
        _say(beat=True, memory=[_bar(gpu) for gpu in gpus])


def _wait(events: object) -> Iterator[object]:
    try:
        yield pynvml.nvmlEventSetWait_v2(events, _WAIT_MS)
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_TIMEOUT and error.value not in _FATAL:
            raise  # a lost GPU is told by _check, which knows which one it is


def _tell_event(gpus: list[_Gpu], event: object) -> None:
    try:
        uuid = str(pynvml.nvmlDeviceGetUUID(event.device))  # type: ignore[attr-defined]
    except pynvml.NVMLError:
        uuid = "unknown"
    recovery = next((_ask_recovery(gpu) for gpu in gpus if gpu.uuid == uuid), None)
    if event.eventType == pynvml.nvmlEventTypeXidCriticalError:  # type: ignore[attr-defined]
        _say(gpu=uuid, xid=int(event.eventData), recovery=recovery)  # type: ignore[attr-defined]
    else:
        _say(gpu=uuid, ecc=True, recovery=recovery)


def _check(gpu: _Gpu) -> None:
    """Say it when the driver's verdict about a GPU has changed, or the GPU has gone."""
    recovery = _ask_recovery(gpu)
    if recovery != gpu.recovery:
        gpu.recovery = recovery
        if recovery:
            _say(gpu=gpu.uuid, recovery=recovery)
    try:
        pynvml.nvmlDeviceGetMemoryInfo(gpu.handle)
        gpu.code = 0
    except pynvml.NVMLError as error:
        _tell_error(gpu, error)


def _tell_error(gpu: _Gpu, error: pynvml.NVMLError) -> None:
    if error.value in _FATAL and error.value != gpu.code:
        gpu.code = error.value
        _say(gpu=gpu.uuid, code=error.value, text=str(error))


def _ask_recovery(gpu: _Gpu) -> int | None:
    """Return the driver's own verdict, None where it does not know the question."""
    field = pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
    try:
        (value,) = pynvml.nvmlDeviceGetFieldValues(gpu.handle, [field])
    except pynvml.NVMLError:
        return None
    return int(value.value.uiVal) if value.nvmlReturn == pynvml.NVML_SUCCESS else None


def _bar(gpu: _Gpu) -> dict[str, object]:
    """Return what a picture of the GPU's memory is drawn from; nulls where it is the host's."""
    memory = _asked(lambda: _memory(gpu.handle))
    known = memory if isinstance(memory, dict) else {}
    name = _asked(lambda: str(pynvml.nvmlDeviceGetName(gpu.handle)))
    return {
        "gpu": gpu.uuid,
        "index": gpu.index,
        "name": name if isinstance(name, str) else "GPU",
        "total": known.get("total"),
        "free": known.get("free"),
    }


def _look(gpu: _Gpu) -> dict[str, object]:
    handle = gpu.handle
    return {
        "gpu": gpu.uuid,
        "recovery": _ask_recovery(gpu),
        "memory": _asked(lambda: _memory(handle)),
        "utilization_percent": _asked(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        "processes": _asked(
            lambda: [
                [p.pid, p.usedGpuMemory]
                for p in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
            ]
        ),
    }


def _memory(handle: object) -> dict[str, int]:
    info = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {"total": info.total, "used": info.used, "free": info.free}


def _asked(question: Callable[[], object]) -> object:
    try:
        return question()
    except pynvml.NVMLError as error:
        return {"code": error.value, "text": str(error)}


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
