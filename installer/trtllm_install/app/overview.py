"""Everything about an installed host at this moment, for one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtllm_install.app.operate import Status, read_status
from trtllm_install.app.reporter import Live
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import InstallError
from trtllm_install.model.facts import Gpu, GpuFacts, GpuMemory, Unknown
from trtllm_install.model.states import SERVING
from trtllm_install.probes.gpu import probe_gpus
from trtllm_install.probes.keys import probe_keyless
from trtllm_install.probes.ownership import lineage
from trtllm_install.proxy.backends import Backend, read_backends
from trtllm_install.proxy.traffic import Traffic, read_traffic

_GPU_S = 3.0  # longest wait for NVML: a status that hangs is none


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """One GPU, and what each service holds of it, in bytes; None where the driver does not say."""

    index: int
    name: str
    total: int | None
    free: int | None
    services: Mapping[str, int | None] = field(default_factory=dict)
    others: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A host at a glance; what could not be learned is said in ``unknown``."""

    status: Status
    models: Mapping[str, str]  # service → the id that clients send
    backends: Mapping[str, Backend]
    gpus: tuple[GpuUse, ...]
    traffic: Mapping[str, Traffic] = field(default_factory=dict)  # model id → what clients got
    keyless: bool = False  # clients are asked for a key, and there is none
    unknown: tuple[str, ...] = ()

    @property
    def serving(self) -> bool:
        """Tell whether every service serves."""
        return all(live.state in SERVING for live in self.status.services)

    def gpu_bytes(self, name: str) -> int | None:
        """Return what a service holds of all GPUs, None where nobody says."""
        held = [gpu.services[name] for gpu in self.gpus if name in gpu.services]
        known = [size for size in held if size is not None]
        return sum(known) if known and len(known) == len(held) else None


def read_overview(host: Host, gpus: tuple[GpuUse, ...] | None = None) -> Overview:
    """Return where everything is; raises ConfigError where nothing is installed.

    ``gpus`` are those of a moment ago, for whoever asks every second.
    """
    status = read_status(host)
    receipt = status.receipt
    keyless = "proxy" in receipt.order and probe_keyless(host)
    if host.image():
        return Overview(status=status, models={}, backends={}, gpus=(), keyless=keyless)
    unknown: list[str] = []
    backends: dict[str, Backend] = {}
    traffic: dict[str, Traffic] = {}
    if "proxy" in receipt.order:
        try:
            backends = {backend.name: backend for backend in read_backends(host)}
            traffic = read_traffic(host)
        except InstallError as error:
            unknown.append(f"requests: {error.message}")
    if gpus is None:
        gpus = () if receipt.simulate else _read_gpus(host, status.services, unknown)
    return Overview(
        status=status,
        models=dict(zip((n for n in receipt.order if n != "proxy"), receipt.models, strict=False)),
        backends=backends,
        gpus=gpus,
        traffic=traffic,
        keyless=keyless,
        unknown=tuple(unknown),
    )


def _read_gpus(host: Host, services: tuple[Live, ...], unknown: list[str]) -> tuple[GpuUse, ...]:
    found = probe_gpus(host, limit_s=_GPU_S)
    if not isinstance(found, GpuFacts):
        why = found.reason if isinstance(found, Unknown) else found.detail or found.fault
        unknown.append(f"GPU memory: {why}")
        return ()
    launchers = {live.pid: live.name for live in services if live.pid}
    unknown += [f"GPU {lost.index}: {lost.detail}" for lost in found.lost]
    return tuple(_use(host, gpu, launchers) for gpu in found.gpus)


def _use(host: Host, gpu: Gpu, launchers: Mapping[int, str]) -> GpuUse:
    held: dict[str, int | None] = {}
    for process in gpu.processes:
        above = lineage(host, process.pid)
        name = next((launchers[pid] for pid in above if pid in launchers), "")
        before = held.get(name, 0)
        held[name] = None if before is None or process.memory is None else before + process.memory
    memory = gpu.memory if isinstance(gpu.memory, GpuMemory) else None
    return GpuUse(
        index=gpu.index,
        name=gpu.name,
        total=memory.total if memory else None,
        free=memory.free if memory else None,
        others=held.pop("", 0),
        services=held,
    )
