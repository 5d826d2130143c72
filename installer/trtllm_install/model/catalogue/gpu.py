"""The driver and the GPUs."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, warning

NO_DRIVER: Final = (
    "driver-missing",
    "driver-not-loaded",
    "driver-library-mismatch",
    "driver-no-permission",
    "nvml-timeout",
    "driver-failed",
)
# A GPU that is lost says nothing against the others.
NO_GPU: Final = (*NO_DRIVER, "gpu-missing")

KINDS: Final[dict[str, Kind]] = {
    "driver-missing": error(
        "No NVIDIA driver",
        "use a GPU of {}",
        "The driver's library libnvidia-ml.so.1 is not installed.",
        whole_host=True,
    ),
    "driver-not-loaded": error(
        "NVIDIA driver is not loaded",
        "use the NVIDIA driver of {}",
        "The library is there, the kernel module is not loaded.",
        depends_on=("driver-missing",),
        whole_host=True,
    ),
    "driver-library-mismatch": error(
        "Driver library and kernel module differ",
        "use the NVIDIA driver of {}",
        "The driver was updated and the old kernel module still runs.",
        whole_host=True,
    ),
    "driver-no-permission": error(
        "NVIDIA devices may not be opened",
        "use the NVIDIA driver of {}",
        "The device nodes refuse this user.",
        whole_host=True,
    ),
    "nvml-timeout": error(
        "NVIDIA driver does not answer",
        "ask the NVIDIA driver of {}",
        "NVML hung past its time limit, which a sick GPU causes.",
        whole_host=True,
    ),
    "driver-failed": error(
        "NVIDIA driver gave an error",
        "ask the NVIDIA driver of {}",
        "NVML failed for a reason of its own, quoted as it came.",
        whole_host=True,
    ),
    "driver-too-old": error(
        "NVIDIA driver is too old",
        "run the engine on the NVIDIA driver of {}",
        "CUDA 13, which the engine is built for, needs driver 580 or newer.",
        depends_on=NO_DRIVER,
    ),
    "driver-module-proprietary": error(
        "Blackwell needs the open kernel module",
        "drive the GPUs of {}",
        "NVIDIA's proprietary kernel module does not drive GPUs of Blackwell and later.",
        depends_on=NO_DRIVER,
        whole_host=True,
    ),
    "gpu-lost": error(
        "GPU is lost",
        "reach {}",
        "The driver counts the GPU but cannot speak to it; it fell off the bus or needs a reset.",
        depends_on=NO_DRIVER,
        whole_host=True,
    ),
    "gpu-missing": error(
        "GPU is missing",
        "give a GPU to {}",
        "There is no GPU, or not the one that an instance names.",
        depends_on=(*NO_DRIVER, "driver-module-proprietary", "gpu-lost"),
    ),
    "gpu-too-old-for-quantization": error(
        "GPU cannot compute this quantization",
        "run the weights of {}",
        "FP4 and NVFP4 weights need compute capability 10.0 or newer, FP8 weights 8.9.",
        depends_on=NO_GPU,
    ),
    "gpu-memory-too-small": error(
        "Weights are larger than the GPU memory",
        "fit the weights on {}",
        "The weight files alone are larger than the memory of the GPUs that are to hold them.",
        depends_on=NO_GPU,
    ),
    "gpu-memory-unknown": warning(
        "GPU memory could not be read",
        "the memory of {} is not known",
        "The driver answered with an error or nonsense, so no memory check was made.",
        *NO_GPU,
    ),
    "gpu-in-use": warning(
        "Others compute on the GPU",
        "{} is shared",
        "The engine sizes its cache from the memory that is free when it starts.",
        *NO_GPU,
    ),
    "mig-enabled": warning(
        "GPU is split by MIG",
        "{} is split by MIG",
        "An instance sees one slice, and needs its MIG UUID.",
        *NO_GPU,
    ),
    "mig-pending": error(
        "MIG mode waits for a reset",
        "count on {}",
        "The MIG mode changes with the next reset, and the GPU with it.",
        depends_on=NO_GPU,
    ),
}
