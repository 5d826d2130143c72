"""What was read of the NVIDIA driver, its GPUs and what the kernel says of them."""

from dataclasses import dataclass, field
from typing import Literal

from trtllm_install.model.facts.unknown import Unknown

DriverFault = Literal[
    "library-missing", "not-loaded", "mismatch", "no-permission", "gpu-lost", "timeout", "failed"
]
# What the driver itself says a GPU needs (NVML_GPU_RECOVERY_ACTION_*).
Recovery = Literal["none", "reset", "reboot", "drain", "drain-and-reset", "fabric", "other"]
ComputeMode = Literal["default", "prohibited", "exclusive", "other"]
Fabric = Literal["not-started", "in-progress", "completed", "failed"]


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
    unit: str = ""  # systemd unit, empty where there is none
    ours: bool = False  # of an installation of ours, running or left behind
    left_over: bool = False  # ours, and no launcher of ours is above it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHealth:
    """What a GPU says of its own state.

    None: the GPU does not have it, or it could not be read; then it is in ``Gpu.unread``.
    """

    ecc: bool | None = None
    ecc_errors: int | None = None  # uncorrected, since the driver was loaded
    ecc_errors_ever: int | None = None
    remap_pending: bool | None = None  # memory rows that wait for a reset to be replaced
    remap_failed: bool | None = None
    pages_pending: bool | None = None  # the same of GPUs before Ampere
    recovery: Recovery | None = None
    persistence: bool | None = None
    compute_mode: ComputeMode | None = None
    slowed_by: tuple[str, ...] | None = None  # reasons that are no normal working of the clocks
    fabric: Fabric | None = None  # NVLink fabric; None where there is no NVSwitch


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
    pci: str = ""  # "0000:65:00.0", empty where it could not be read
    minor: int | None = None  # N of /dev/nvidiaN
    health: GpuHealth = field(default_factory=GpuHealth)
    unread: tuple[tuple[str, str], ...] = ()  # what was asked and gave an error, and the error

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
    code: int = 15  # NVML_ERROR_*


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """The driver and its GPUs, in NVML's order."""

    driver: str  # for example "580.159.04"
    cuda: tuple[int, int]  # newest CUDA the driver speaks
    gpus: tuple[Gpu, ...]
    lost: tuple[LostGpu, ...] = ()
    simulated: bool = False


# Without NVML ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """An error that the driver wrote into the kernel's log."""

    code: int
    pci: str  # "0000:65:00", without the function
    text: str  # the rest of the line, as it came
    count: int = 1  # how often this code was logged for this GPU


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device node that CUDA opens."""

    path: str
    present: bool
    mode: int = 0
    owner: str = ""
    group: str = ""
    open_to_us: bool = False  # user trtllm may read and write it, by its mode
    major: int | None = None  # None = not read, or no device
    kernel_major: int | None = None  # what /proc/devices says it has to be


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPlatform:
    """What kernel, bus and firmware say about NVIDIA hardware, whether or not NVML answers."""

    product: str = ""  # of the firmware, for example "NVIDIA_DGX_Spark"
    on_bus: tuple[str, ...] | Unknown = ()  # PCI addresses of NVIDIA GPUs
    switches: int = 0  # NVSwitches on the PCI bus
    module: str = ""  # version of the loaded kernel module
    open_module: bool | None = None  # None = no module is loaded, or it does not say
    xids: tuple[Xid, ...] | Unknown = ()  # of this boot
    nodes: tuple[DeviceNode, ...] | Unknown = ()
    unread: tuple[tuple[str, Unknown], ...] = ()  # parts that could not be read, and why

    @property
    def spark(self) -> bool:
        """Tell whether this is a DGX Spark or a sibling: a GB10 whose driver comes with it."""
        name = self.product.upper().replace("_", " ")
        return "DGX SPARK" in name or "GB10" in name


# A real kernel on a real GPU ---------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeRun:
    """How one run of the CUDA smoke test ended."""

    passed: tuple[str, ...] = ()  # UUIDs
    gpu: str = ""  # UUID at which it failed; empty = before the first, or not at all
    step: str = ""  # driver call that failed, or that never came back
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Tell whether any step did not end well."""
        return bool(self.step or self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeFacts:
    """The CUDA smoke test outside and inside the sandbox that the instances run in."""

    gpus: tuple[str, ...]  # UUIDs that were to be tried
    outside: SmokeRun
    inside: SmokeRun | Unknown | None = None  # None = there is no sandbox here
    breaks: tuple[str, ...] = ()  # properties of the sandbox without which it passes
    seconds: float = 0.0
