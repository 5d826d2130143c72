"""What was read of the host: values without opinion. Probes make them, judge reads them."""

from dataclasses import dataclass

from trtllm_install.model.facts.gpu import (
    DriverFault,
    DriverProblem,
    Gpu,
    GpuFacts,
    GpuMemory,
    GpuPlatform,
    GpuProcess,
    LostGpu,
    SmokeFacts,
)
from trtllm_install.model.facts.host import HostFacts
from trtllm_install.model.facts.image import ImageFacts
from trtllm_install.model.facts.packages import LeftOut, Package, PackageFacts
from trtllm_install.model.facts.peers import AuthorityFacts, PeerFacts
from trtllm_install.model.facts.ports import Holder, PortFacts
from trtllm_install.model.facts.programs import EngineFacts, ProxyBinary, SupervisorFacts
from trtllm_install.model.facts.system import SystemFacts
from trtllm_install.model.facts.tls import TlsFacts
from trtllm_install.model.facts.unknown import NOT_ASKED, Unknown
from trtllm_install.model.facts.weights import (
    Blocked,
    FileFault,
    FileProblem,
    RemoteCode,
    WeightsFacts,
)

__all__ = [
    "NOT_ASKED",
    "AuthorityFacts",
    "Blocked",
    "DriverFault",
    "DriverProblem",
    "EngineFacts",
    "Facts",
    "FileFault",
    "FileProblem",
    "Gpu",
    "GpuFacts",
    "GpuMemory",
    "GpuPlatform",
    "GpuProcess",
    "Holder",
    "HostFacts",
    "ImageFacts",
    "LeftOut",
    "LostGpu",
    "Package",
    "PackageFacts",
    "PeerFacts",
    "PortFacts",
    "ProxyBinary",
    "RemoteCode",
    "SmokeFacts",
    "SupervisorFacts",
    "SystemFacts",
    "TlsFacts",
    "Unknown",
    "WeightsFacts",
]


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
    host: HostFacts | None = None  # None = not looked at: an image, or not asked for
    platform: GpuPlatform | None = None  # None = not looked at: the GPUs are simulated
    smoke: SmokeFacts | Unknown | None = None  # None = not asked for
    packages: PackageFacts | None = None  # None = nothing lacks, or nobody asked
    image: ImageFacts | None = None  # None = a machine that runs
    peers: tuple[PeerFacts, ...] = ()
    authority: AuthorityFacts | None = None  # None = no peer is spoken to by TLS
    tls: TlsFacts | None = None  # None = no TLS is wanted
    keys: bool = False  # clients of the proxy are asked for a key
    keyless: bool = False  # and there is none that they could show
    removed: tuple[str, ...] = ()  # configuration of ours that is gone and stays so
