"""The catalogue of every finding: code, severity, title, causes. Codes are public and stable.

``docs/reference/findings.md`` has a section for each; a test compares the two.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding."""

    severity: Literal["error", "warning", "info"]
    title: str
    sentence: str  # {} is the subject; the cause follows after a colon
    meaning: str  # one line
    depends_on: tuple[str, ...] = ()  # causes that mute it, nearest to the root first
    whole_host: bool = False  # as a cause it mutes every subject, not only its own


_NO_DRIVER: Final = (
    "driver-missing",
    "driver-not-loaded",
    "driver-library-mismatch",
    "driver-no-permission",
    "nvml-timeout",
    "driver-failed",
)
_NO_GPU: Final = (*_NO_DRIVER, "gpu-lost", "gpu-missing")


def _error(
    title: str,
    sentence: str,
    meaning: str,
    *,
    depends_on: tuple[str, ...] = (),
    whole_host: bool = False,
) -> Kind:
    return Kind(
        severity="error",
        title=title,
        sentence=f"cannot {sentence}",
        meaning=meaning,
        depends_on=depends_on,
        whole_host=whole_host,
    )


def _warning(title: str, sentence: str, meaning: str, *depends_on: str) -> Kind:
    return Kind(
        severity="warning",
        title=title,
        sentence=sentence,
        meaning=meaning,
        depends_on=depends_on,
    )


def _info(title: str, sentence: str, meaning: str) -> Kind:
    return Kind(severity="info", title=title, sentence=sentence, meaning=meaning)


CATALOGUE: Final[dict[str, Kind]] = {
    # what could not be read
    "host-unreadable": _error(
        "Part of the host could not be read",
        "observe {}",
        "Reading failed although the caller is root, so nothing can be said about this part.",
    ),
    "needs-root-to-see": _warning(
        "Part of the host is hidden from this user",
        "{} was not observed",
        "Reading needs root; the part is neither good nor bad.",
    ),
    # driver and GPUs
    "driver-missing": _error(
        "No NVIDIA driver",
        "use a GPU of {}",
        "The driver's library libnvidia-ml.so.1 is not installed.",
        whole_host=True,
    ),
    "driver-not-loaded": _error(
        "NVIDIA driver is not loaded",
        "use the NVIDIA driver of {}",
        "The library is there, the kernel module is not loaded.",
        depends_on=("driver-missing",),
        whole_host=True,
    ),
    "driver-library-mismatch": _error(
        "Driver library and kernel module differ",
        "use the NVIDIA driver of {}",
        "The driver was updated and the old kernel module still runs.",
        whole_host=True,
    ),
    "driver-no-permission": _error(
        "NVIDIA devices may not be opened",
        "use the NVIDIA driver of {}",
        "The device nodes refuse this user.",
        whole_host=True,
    ),
    "nvml-timeout": _error(
        "NVIDIA driver does not answer",
        "ask the NVIDIA driver of {}",
        "NVML hung past its time limit, which a sick GPU causes.",
        whole_host=True,
    ),
    "driver-failed": _error(
        "NVIDIA driver gave an error",
        "ask the NVIDIA driver of {}",
        "NVML failed for a reason of its own, quoted as it came.",
        whole_host=True,
    ),
    "driver-too-old": _error(
        "NVIDIA driver is too old",
        "run the engine on the NVIDIA driver of {}",
        "CUDA 13, which the engine is built for, needs driver 580 or newer.",
        depends_on=_NO_DRIVER,
    ),
    "gpu-lost": _error(
        "GPU is lost",
        "reach {}",
        "The driver counts the GPU but cannot speak to it; it fell off the bus or needs a reset.",
        depends_on=_NO_DRIVER,
        whole_host=True,
    ),
    "gpu-missing": _error(
        "GPU is missing",
        "give a GPU to {}",
        "There is no GPU, or not the one that an instance names.",
        depends_on=(*_NO_DRIVER, "gpu-lost"),
    ),
    "gpu-too-old-for-quantization": _error(
        "GPU cannot compute this quantization",
        "run the weights of {}",
        "FP4 and NVFP4 weights need compute capability 10.0 or newer.",
        depends_on=_NO_GPU,
    ),
    "gpu-memory-too-small": _error(
        "Weights are larger than the GPU memory",
        "fit the weights on {}",
        "The weight files alone are larger than the memory of the GPUs that are to hold them.",
        depends_on=_NO_GPU,
    ),
    "gpu-memory-unknown": _warning(
        "GPU memory could not be read",
        "the memory of {} is not known",
        "The driver answered with an error or nonsense, so no memory check was made.",
        *_NO_GPU,
    ),
    "gpu-in-use": _warning(
        "Others compute on the GPU",
        "{} is shared",
        "The engine sizes its cache from the memory that is free when it starts.",
        *_NO_GPU,
    ),
    "mig-enabled": _warning(
        "GPU is split by MIG",
        "{} is split by MIG",
        "An instance sees one slice, and needs its MIG UUID.",
        *_NO_GPU,
    ),
    "mig-pending": _error(
        "MIG mode waits for a reset",
        "count on {}",
        "The MIG mode changes with the next reset, and the GPU with it.",
        depends_on=_NO_GPU,
    ),
    # weights
    "weights-missing": _error(
        "Weights are missing",
        "load the weights of {}",
        "The folder of the checkpoint is not there, or holds no checkpoint.",
    ),
    "weights-incomplete": _error(
        "Weights are incomplete",
        "load the weights of {}",
        "A file of the checkpoint is absent or shorter than its header says.",
        depends_on=("weights-missing",),
    ),
    "weights-damaged": _error(
        "Weights are damaged",
        "load the weights of {}",
        "A file of the checkpoint is not what its format allows.",
        depends_on=("weights-missing",),
    ),
    "weights-index-differs": _error(
        "Index and shards differ",
        "load the weights of {}",
        "model.safetensors.index.json names a tensor that its shard does not hold.",
        depends_on=("weights-missing", "weights-incomplete", "weights-damaged"),
    ),
    "weights-unreadable": _error(
        "Weights cannot be read by the service user",
        "open the weights of {} as user trtllm",
        "The modes of a file or folder keep user trtllm out.",
        depends_on=("weights-missing",),
    ),
    # network
    "port-taken": _error(
        "Port is taken",
        "listen on {}",
        "Another program listens there.",
    ),
    "port-lingering": _info(
        "Port is closing",
        "port {} is not free yet",
        "Nobody listens; old connections keep the port for about a minute, and the launcher waits.",
    ),
    "address-unusable": _error(
        "Address cannot be used",
        "listen on {}",
        "The address is not one of this host's, or the port needs a privilege.",
    ),
    "listen-without-keys": _error(
        "Listens beyond this host without keys",
        "open {} to the network",
        "Everyone who reaches the address could use the models; there is no authentication.",
    ),
    # programs
    "proxy-binary-missing": _error(
        "No OpenResty or nginx",
        "run the {}",
        "The one port in front of the instances needs OpenResty or nginx.",
    ),
    "proxy-module-missing": _error(
        "nginx lacks a module",
        "run the {}",
        "Routing by model needs ngx_lua and lua-cjson.",
        depends_on=("proxy-binary-missing",),
    ),
    "supervisor-missing": _error(
        "Supervisor is missing",
        "start services with {}",
        "The supervisor that was asked for does not run this host.",
    ),
    "systemd-untried": _warning(
        "systemd is older than any we tried",
        "{} is older than 252",
        "Units were tried on systemd 252 and 257.",
        "supervisor-missing",
    ),
    "engine-missing": _error(
        "Engine is missing",
        "start {}",
        "trtllm-serve of TensorRT-LLM is not where the units look for it.",
    ),
    "engine-simulated": _error(
        "Engine is the simulated one",
        "serve models with {}",
        "The stand-in for tests is installed where the real engine is expected.",
    ),
    "engine-version-differs": _error(
        "Engine has another version",
        "trust {}",
        "Arguments and configuration were checked against one version only.",
        depends_on=("engine-missing", "engine-simulated"),
    ),
    "open-mpi-missing": _warning(
        "Open MPI is missing",
        "{} has no Open MPI",
        "trtllm-serve links libmpi and spawns its worker through it.",
    ),
    "open-mpi-too-new": _error(
        "Open MPI is too new",
        "spawn the engine's worker on {}",
        "The engine's mpi4py cannot spawn with Open MPI 5.",
    ),
    "cuda-toolkit-missing": _warning(
        "CUDA toolkit is missing",
        "{} has no CUDA toolkit",
        "Kernels that are compiled at run time need nvcc or ptxas.",
    ),
    "account-absent": _info(
        "Service user does not exist yet",
        "user {} does not exist",
        "install makes it.",
    ),
}
