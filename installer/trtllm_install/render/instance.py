"""What an instance is started with: arguments, environment, launch spec."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtllm_install.model import layout
from trtllm_install.model.installation import Installation, Instance, Proxy
from trtllm_install.model.launchspec import LaunchSpec
from trtllm_install.model.liveness import Liveness

DRAIN_S = 30
STOP_GRACE_S = 60
# Drain, then TERM, then 10 s for the KILL of the tree, and a margin to say how it went.
STOP_S = DRAIN_S + STOP_GRACE_S + 40

# Prints what the driver says of memory and processes; a process, because a sick driver hangs.
_GPU_ARGV = (f"{layout.TOOL}/bin/python3", "-I", "-m", "trtllm_install.probes.nvml_child")
# Tells what happens to a GPU, for as long as it runs.
_GPU_WATCH = (f"{layout.TOOL}/bin/python3", "-I", "-m", "trtllm_install.probes.gpu_events_child")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What the load of an instance takes; nothing of it depends on what runs now."""

    weights_bytes: int = 0  # of its files; 0 = not known
    gpu_bytes: Mapping[str, int] = field(default_factory=dict)  # GPU index → needed to start
    unified_memory: bool = False  # GPU and CPU share it, as on GB10


def engine_argv(instance: Instance) -> tuple[str, ...]:
    """Return the command line of ``trtllm-serve`` (1.3.0rc2: option names have underscores)."""
    config = ("--config", instance.engine_config_path) if instance.reads_config else ()
    return (
        layout.trtllm_serve(),
        "serve",
        instance.weights,
        "--host",
        instance.host,
        "--port",
        str(instance.port),
        "--backend",
        instance.backend,
        *config,
        *instance.arguments,
    )


def engine_environment(instance: Instance, cuda_home: str, version: str) -> dict[str, str]:
    """Return the whole environment of an engine.

    Sources: TensorRT-LLM's installation notes; the cache variables of Triton, inductor,
    FlashInfer, CUDA and TensorRT-LLM's own DeepGEMM (compiler.cuh); Open MPI 4.1, whose
    singleton start looks for ssh unless ``OMPI_MCA_plm`` says isolated. The hub is off: a
    model is a local folder, always.
    """
    home = layout.instance_state(instance.name)
    # Kernels of one engine version mean nothing to another.
    cache = layout.engine_cache(instance.name, version)
    environment = {
        "HOME": home,
        "LANG": "C.UTF-8",
        "PATH": f"{layout.ENGINE_CURRENT}/bin:{cuda_home}/bin:{_SYSTEM_PATH}",
        "TMPDIR": "/tmp",  # noqa: S108 (short: it holds sockets; private to the unit)
        "PYTHONUNBUFFERED": "1",
        "CUDA_HOME": cuda_home,
        # NVML and nvidia-smi count in this order, so a number means the same GPU everywhere.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_CACHE_PATH": f"{cache}/cuda",
        "CUDA_CACHE_MAXSIZE": str(4 * 2**30),  # the most that the driver takes; 1 GiB by default
        "XDG_CACHE_HOME": cache,
        "HF_HOME": f"{cache}/huggingface",
        "HF_MODULES_CACHE": f"{cache}/huggingface/modules",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRITON_CACHE_DIR": f"{cache}/triton",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
        "FLASHINFER_WORKSPACE_BASE": f"{cache}/flashinfer",
        "TLLM_AUTOTUNER_CACHE_PATH": f"{cache}/autotuner.json",
        "TRTLLM_DG_CACHE_DIR": f"{cache}/deepgemm",
        "OMPI_MCA_plm": "isolated",
    }
    if instance.gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(instance.gpus)
    return environment


def engine_spec(
    instance: Instance,
    cuda_home: str,
    version: str,
    *,
    proxy: Proxy | None = None,
    footprint: Footprint = Footprint(),
    simulate: bool = False,
) -> LaunchSpec:
    """Return what the launcher of an engine of this version is told.

    An engine that works and gives no token is given up when the proxy gives it up too. A
    simulated one has no GPU to watch.
    """
    return LaunchSpec(
        name=instance.name,
        kind="engine",
        argv=engine_argv(instance),
        environment=engine_environment(instance, cuda_home, version),
        host=instance.host,
        port=instance.port,
        after=instance.after,
        after_failed=instance.after_failed,
        after_limit_s=instance.after_limit_s,
        gpus=instance.gpus,
        weights=instance.weights,
        weights_bytes=footprint.weights_bytes,
        # On unified memory, page cache is memory that the GPU lacks.
        preread=not footprint.unified_memory,
        unified_memory=footprint.unified_memory,
        gpu_argv=_GPU_ARGV if footprint.gpu_bytes else (),
        gpu_bytes=footprint.gpu_bytes,
        cache_dir=layout.engine_cache(instance.name, version),
        # 200 of /health says nothing about the engine; a token does.
        health_path="/health",
        generate_path="/health_generate",
        liveness=Liveness(busy_s=proxy.first_byte_s) if proxy else None,
        gpu_watch=() if simulate else (*_GPU_WATCH, *instance.gpus),
        drain_s=DRAIN_S,
        stop_grace_s=STOP_GRACE_S,
    )


def proxy_spec(installation: Installation, proxy: Proxy, binary: str) -> LaunchSpec:
    """Return what the launcher of the proxy is told."""
    home = layout.instance_state("proxy")
    return LaunchSpec(
        name="proxy",
        kind="proxy",
        # -e: or nginx complains about its built-in log before it has read ours.
        argv=(
            *(binary, "-p", home, "-e", "stderr"),
            *("-c", f"{layout.PROXY}/nginx.conf", "-g", "daemon off;"),
        ),
        environment={"HOME": home, "LANG": "C.UTF-8", "PATH": _SYSTEM_PATH},
        host=proxy.local_host,
        port=proxy.port,
        after=tuple(instance.name for instance in installation.instances),
        health_path="/livez",
        drain_s=DRAIN_S,
        stop_grace_s=STOP_GRACE_S,
    )
