"""From what the NVML process printed to facts, each field by itself."""

from collections.abc import Mapping
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.facts import Gpu, GpuFacts, GpuMemory, GpuProcess, LostGpu, Unknown
from trtllm_install.model.facts.gpu import ComputeMode, Fabric, GpuHealth, Recovery
from trtllm_install.probes.ownership import belonging, name_of, recorded_pids, unit_of

# NVML_ERROR_* of nvml.h
_NOT_SUPPORTED: Final = 3
_FUNCTION_NOT_FOUND: Final = 13  # the driver is older than the question
_GONE: Final = frozenset({15, 16})  # lost, or in need of a reset: nothing else it says counts
# NVML_GPU_RECOVERY_ACTION_*
_RECOVERY: Final[dict[int, Recovery]] = {
    0: "none",
    1: "reset",
    2: "reboot",
    3: "drain",
    4: "drain-and-reset",
    5: "fabric",
    6: "reset",
    7: "reboot",
}
# NVML_COMPUTEMODE_*
_COMPUTE_MODES: Final[dict[int, ComputeMode]] = {0: "default", 2: "prohibited", 3: "exclusive"}
# NVML_GPU_FABRIC_STATE_*; 0 is "not supported"
_FABRIC: Final[dict[int, Fabric]] = {1: "not-started", 2: "in-progress", 3: "completed"}
# nvmlClocksEventReason* that tell of trouble; a power cap is normal under load.
_SLOWED: Final = {
    0x08: "hardware slowdown",
    0x20: "temperature (software)",
    0x40: "temperature (hardware)",
    0x80: "power brake",
}


def parse_facts(host: Host, answer: Mapping[str, object]) -> GpuFacts:
    """Return the facts of an answer; raises ValueError, TypeError or LookupError for nonsense.

    ``host`` names the processes that the driver lists.
    """
    cuda = int(str(answer["cuda"]))  # 13000 is 13.0
    listed = answer["gpus"]
    if not isinstance(listed, list):
        raise TypeError
    lost = {int(g["index"]): _why_lost(g) for g in listed}
    return GpuFacts(
        driver=str(answer["driver"]),
        cuda=(cuda // 1000, cuda % 1000 // 10),
        gpus=tuple(_Answer(g).gpu(host) for g in listed if lost[int(g["index"])] is None),
        lost=tuple(
            LostGpu(index=index, detail=str(why.get("text")), code=int(str(why["code"])))
            for index, why in lost.items()
            if why is not None
        ),
    )


def _why_lost(said: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the answer that tells of a GPU which cannot be spoken to, None if it can be.

    It may get lost between two questions: any answer counts.
    """
    if "code" in said:
        return said
    answers = (a for a in said.values() if isinstance(a, dict))
    return next((a for a in answers if a.get("code") in _GONE), None)


class _Answer:
    """One GPU's answers; remembers what could not be read."""

    def __init__(self, said: Mapping[str, object]) -> None:
        self._said = said
        self._unread: list[tuple[str, str]] = []

    def gpu(self, host: Host) -> Gpu:
        capability = self._said["capability"]
        if not isinstance(capability, list):
            raise TypeError
        memory = self._memory()
        mig = self._numbers("mig", "MIG mode") or (0, 0)  # not supported is not enabled
        health = self._health()
        return Gpu(
            index=int(str(self._said["index"])),
            name=str(self._asked("name", "name") or "a GPU without a name"),
            uuid=str(self._said["uuid"]),
            capability=(int(capability[0]), int(capability[1])),
            memory=memory,
            mig=bool(mig[0]),
            mig_pending=bool(mig[1]),
            processes=self._processes(host),
            pci=parse_pci(str(self._asked("pci", "PCI address") or "")),
            minor=self._number("minor", "minor number"),
            health=health,
            unread=tuple(self._unread),
        )

    def _health(self) -> GpuHealth:
        rows = self._numbers("remapped_rows", "row remapping")
        recovery = self._number("recovery", "recovery action")
        mode = self._number("compute_mode", "compute mode")
        clocks = self._number("clocks", "reasons for slow clocks")
        return GpuHealth(
            ecc=self._flag("ecc", "ECC mode"),
            ecc_errors=self._number("ecc_errors", "ECC errors"),
            ecc_errors_ever=self._number("ecc_errors_ever", "ECC errors ever"),
            remap_pending=bool(rows[2]) if rows else None,
            remap_failed=bool(rows[3]) if rows else None,
            pages_pending=self._flag("pages_pending", "retired pages"),
            recovery=None if recovery is None else _RECOVERY.get(recovery, "other"),
            persistence=self._flag("persistence", "persistence mode"),
            compute_mode=None if mode is None else _COMPUTE_MODES.get(mode, "other"),
            slowed_by=None
            if clocks is None
            else tuple(word for bit, word in _SLOWED.items() if clocks & bit),
            fabric=self._fabric(),
        )

    def _asked(self, key: str, name: str) -> object:
        """Return an answer, None where there is none; an error is remembered by its name."""
        said = self._said.get(key)
        if isinstance(said, dict) and "code" in said:
            if said["code"] not in {_NOT_SUPPORTED, _FUNCTION_NOT_FOUND}:
                self._unread.append((name, str(said.get("text"))))
            return None
        return said

    def _number(self, key: str, name: str) -> int | None:
        said = self._asked(key, name)
        if said is None:
            return None
        if not isinstance(said, int):
            raise TypeError
        return said

    def _flag(self, key: str, name: str) -> bool | None:
        number = self._number(key, name)
        return None if number is None else bool(number)

    def _numbers(self, key: str, name: str) -> tuple[int, ...] | None:
        said = self._asked(key, name)
        return tuple(int(n) for n in said) if isinstance(said, list) else None

    def _fabric(self) -> Fabric | None:
        said = self._asked("fabric", "NVLink fabric")
        if not isinstance(said, dict):
            return None
        state = _FABRIC.get(int(said["state"]))
        return "failed" if state == "completed" and said["status"] else state

    def _memory(self) -> GpuMemory | Unknown | None:
        """Return bytes; None where the driver does not support the question (unified memory)."""
        said = self._said["memory"]
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

    def _processes(self, host: Host) -> tuple[GpuProcess, ...]:
        running = self._asked("processes", "processes")
        if not isinstance(running, list):
            return ()
        recorded = recorded_pids(host) if running else frozenset()
        return tuple(_process(host, p, recorded) for p in running)


def _process(host: Host, said: Mapping[str, object], recorded: frozenset[int]) -> GpuProcess:
    pid, memory = int(str(said["pid"])), said["memory"]
    whose = belonging(host, pid, recorded)
    return GpuProcess(
        pid=pid,
        name=name_of(host, pid),
        memory=memory if isinstance(memory, int) else None,
        unit=unit_of(host, pid),
        ours=whose != "other",
        left_over=whose == "left-over",
    )


def parse_pci(text: str) -> str:
    """Return a PCI address as the kernel writes it: NVML's domain has eight digits."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain[-4:]}:{rest}" if rest else ""
