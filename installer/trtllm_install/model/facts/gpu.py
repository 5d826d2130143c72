"""The driver and its GPUs, as NVML shows them."""

from dataclasses import dataclass
from typing import Literal

from trtllm_install.model.facts.unknown import Unknown

DriverFault = Literal[
    "library-missing", "not-loaded", "mismatch", "no-permission", "gpu-lost", "timeout", "failed"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverProblem:
    """NVML gave no answer about the host as a whole."""

    fault: DriverFault
    detail: str
    kernel_module: str = ""  # version that the loaded module states; empty = none is loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """Memory of one GPU, in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that computes on a GPU."""

    pid: int
    name: str  # empty where it could not be read
    memory: int | None  # bytes; None where the driver does not say
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU as NVML shows it."""

    index: int
    name: str
    uuid: str
    capability: tuple[int, int]
    memory: GpuMemory | Unknown | None  # None = the driver does not support the question
    mig: bool = False
    mig_pending: bool = False  # the mode after the next reset
    processes: tuple[GpuProcess, ...] = ()

    @property
    def unified(self) -> bool:
        """Tell whether the GPU shares the host's memory.

        Both signs are asked for, so that a GPU that merely fails to answer is not
        taken for one (GB10 is 12.1).
        """
        return self.memory is None and self.capability == (12, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostGpu:
    """A GPU that NVML counts but cannot speak to."""

    index: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """The driver and its GPUs, in NVML's order."""

    driver: str  # for example "580.159.04"
    cuda: tuple[int, int]  # newest CUDA the driver speaks
    gpus: tuple[Gpu, ...]
    lost: tuple[LostGpu, ...] = ()
    simulated: bool = False
