"""An installation of two models and a host on which nothing is wrong."""

from dataclasses import replace

from trtllm_install.model import facts as f
from trtllm_install.model.facts.host import Compilers, FileSystem, Guards, Kernel
from trtllm_install.model.installation import Installation, Instance, Proxy, Route

WEIGHTS = "/home/me/model_weights"
MODELS = {
    "qwen": "nvidia/Qwen3-30B-A3B-FP4",
    "nemotron": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
}


def instance(name: str, port: int) -> Instance:
    """Return one of the two models."""
    return Instance(
        name=name,
        model=MODELS[name],
        weights=f"{WEIGHTS}/{MODELS[name]}",
        host="127.0.0.1",
        port=port,
        backend="_autodeploy",
        engine_config=f"{name}.yaml",
        route=Route(ids=(MODELS[name],), contains=(name,)),
    )


INSTALLATION = Installation(
    profile="multi",
    engine_version="1.3.0rc2",
    checked_as="1.3.0rc2",
    weights_dir=WEIGHTS,
    instances=(instance("qwen", 8001), replace(instance("nemotron", 8002), after=("qwen",))),
    proxy=Proxy(host="127.0.0.1", port=8000),
    supervisor="systemd",
)

GPU = f.Gpu(
    index=0,
    name="NVIDIA B200",
    uuid="GPU-0",
    capability=(10, 0),
    memory=f.GpuMemory(total=180 * 2**30, free=179 * 2**30),
)


def disk(path: str, free: int = 2**40, *, kind: str = "ext4", options: str = "rw") -> FileSystem:
    """Return a file system on which a path lies."""
    return FileSystem(
        path=path,
        mount="/" if kind == "ext4" else path,
        source="/dev/sda2" if kind == "ext4" else kind,
        kind=kind,
        free=free,
        options=tuple(options.split(",")),
    )


HOST = f.HostFacts(
    kernel=Kernel(release="6.8.0-45-generic", machine="x86_64"),
    glibc="2.39",
    disks=tuple(disk(p) for p in ("/opt/trtllm/engines", "/var/lib/trtllm", "/var/log/trtllm")),
    shared_memory=disk("/dev/shm", 2**37, kind="tmpfs"),
    locked_memory=None,
    halfway=(),
    guards=Guards(),
    sleeps="",
    compilers=Compilers(cc="/usr/bin/cc", cxx="/usr/bin/c++"),
)

FACTS = f.Facts(
    root=True,
    gpu=f.GpuFacts(driver="580.159.04", cuda=(13, 0), gpus=(GPU,)),
    weights=tuple(
        (
            i.name,
            f.WeightsFacts(
                instance=i.name,
                folder=i.weights,
                present=True,
                quantization="NVFP4",
                shards=2,
                tensors=3,
                size=18 * 2**30,
            ),
        )
        for i in INSTALLATION.instances
    ),
    ports=tuple(
        (name, f.PortFacts(wanted_by=name, address="127.0.0.1", port=port, free=True))
        for name, port in (("qwen", 8001), ("nemotron", 8002), ("proxy", 8000))
    ),
    proxy=f.ProxyBinary(kind="openresty", path="/usr/bin/openresty", version="1.27.1.2"),
    supervisor=f.SupervisorFacts(
        init="systemd", systemd=True, systemd_version=252, supervisord=None
    ),
    engine=f.EngineFacts(
        path="/opt/trtllm/engines/current/bin/trtllm-serve", present=True, version="1.3.0rc2"
    ),
    system=f.SystemFacts(
        account=True,
        memory_total=256 * 2**30,
        memory_available=250 * 2**30,
        cuda_home="/usr/local/cuda",
        toolkit="13.0.2",
        open_mpi="4.1.6",
    ),
    host=HOST,
)
