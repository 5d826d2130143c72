"""What was read of the host: values without opinion. Probes make them, judge reads them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A part of the host that could not be read, and why. It never counts as passed."""

    reason: str


# GPUs -----------------------------------------------------------------------

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


# Weights ---------------------------------------------------------------------

FileFault = Literal["absent", "short", "long", "damaged", "differs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One file of a checkpoint that is not what it should be."""

    fault: FileFault
    path: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A path that the service user cannot open, by its mode."""

    path: str
    mode: int
    owner: str
    group: str
    above: bool  # above the weights folder: systemd's bind mount goes round it


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFacts:
    """The checkpoint of one instance, read by its headers only."""

    instance: str
    folder: str
    present: bool
    problems: tuple[FileProblem, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    links_out: tuple[str, ...] = ()  # folders outside it in which files really lie
    model_type: str = ""
    architectures: tuple[str, ...] = ()
    quantization: str = ""  # as the checkpoint states it, for example "NVFP4"
    kv_cache_quantization: str = ""
    remote_code: tuple[str, ...] = ()  # Python files that --trust_remote_code would run
    shards: int = 0
    tensors: int = 0
    size: int = 0  # bytes of all shards that are there


# Ports -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that listens on a port."""

    pid: int
    name: str
    command: str
    unit: str  # systemd unit, empty where there is none
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """One port that the installation wants."""

    wanted_by: str
    address: str
    port: int
    free: bool
    listening: bool = False  # somebody listens, whether or not it could be named
    lingering: bool = False  # nobody listens, but old connections still close
    holder: Holder | None = None


# Programs ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyBinary:
    """An OpenResty or nginx, and what of ngx_lua was found with it."""

    kind: Literal["openresty", "nginx"]
    path: str
    version: str
    modules: tuple[str, ...] = ()  # absolute paths for load_module, in order
    lua_path: str = ""
    lua_cpath: str = ""
    missing: tuple[str, ...] = ()  # Debian packages that would supply what lacks


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorFacts:
    """What could start our services here."""

    init: str  # name of process 1, empty where it could not be read
    systemd: bool  # systemd is process 1
    systemd_version: int | None
    supervisord: str | None  # path of the program


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine's server program."""

    path: str
    present: bool
    version: str = ""  # empty where no package data says it
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """Account, memory and tools."""

    account: bool
    memory_total: int  # bytes of RAM
    memory_available: int
    cuda_home: str | None  # folder with bin/nvcc or bin/ptxas
    open_mpi: str | None  # version; empty = a library without mpirun; None = none found


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that was observed, each part a value or the reason why there is none."""

    root: bool
    gpu: GpuFacts | DriverProblem | Unknown
    weights: tuple[tuple[str, WeightsFacts | Unknown], ...]  # by instance, in start order
    ports: tuple[tuple[str, PortFacts | Unknown], ...]  # by service, in start order
    proxy: ProxyBinary | Unknown | None  # None = none found, or none wanted
    supervisor: SupervisorFacts | Unknown
    engine: EngineFacts | Unknown
    system: SystemFacts | Unknown
