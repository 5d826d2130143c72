"""The state of driver and GPUs: modes, faults, who computes there, and whether CUDA runs."""

from typing import Final

from trtllm_install.model.catalogue.gpu import NO_DRIVER, NO_GPU
from trtllm_install.model.catalogue.kind import Kind, error, info, warning

_SICK: Final = (*NO_GPU, "gpu-needs-recovery")

KINDS: Final[dict[str, Kind]] = {
    # the driver
    "driver-cuda-too-old": error(
        "CUDA of the driver is too old",
        "run the engine on the NVIDIA driver of {}",
        "The driver is new enough, and the libcuda.so.1 beside it speaks an older CUDA.",
        depends_on=(*NO_DRIVER, "driver-too-old"),
    ),
    "gpu-not-driven": warning(
        "A card is not driven",
        "a GPU of {} is not driven",
        "The bus shows more NVIDIA GPUs than the driver counts.",
        *NO_DRIVER,
        "driver-module-proprietary",
    ),
    "device-node-missing": warning(
        "Device node is missing",
        "{} is not ready",
        "CUDA needs the node, and an unprivileged service cannot make it.",
        *NO_DRIVER,
    ),
    "device-node-unusable": error(
        "Device node cannot be used",
        "open {} as user trtllm",
        "The node is closed to the service user, or belongs to another device.",
        depends_on=NO_DRIVER,
        whole_host=True,
    ),
    # faults
    "gpu-needs-recovery": error(
        "Driver asks for a recovery",
        "trust {}",
        "The driver itself says that the GPU has to be reset, drained or rebooted.",
        depends_on=NO_GPU,
    ),
    "gpu-remap-failed": error(
        "Memory cannot be repaired",
        "trust the memory of {}",
        "A bad memory row was found and no spare row was left for it.",
        depends_on=NO_GPU,
    ),
    "gpu-remap-pending": warning(
        "Memory repair waits for a reset",
        "{} has a memory repair pending",
        "A bad part of the GPU's memory is set aside, and replaced with the next reset.",
        *_SICK,
    ),
    "gpu-ecc-errors": warning(
        "Memory had errors",
        "the memory of {} had errors",
        "ECC met errors that it cannot correct, since the driver was loaded.",
        *_SICK,
        "gpu-remap-failed",
        "gpu-remap-pending",
    ),
    "gpu-fault-logged": warning(
        "Driver logged a fault",
        "{} had a fault since the boot",
        "The kernel's log holds an Xid that tells of hardware or driver; a hint, no verdict.",
        *_SICK,
    ),
    "gpu-event-logged": info(
        "Driver logged an event",
        "{} had an event since the boot",
        "The kernel's log holds an Xid of a program that failed, or a note of the driver.",
    ),
    "kernel-log-unread": warning(
        "Kernel log could not be read",
        "{} was not read",
        "Whether the driver logged faults since the boot is not known.",
    ),
    "gpu-slowed": warning(
        "GPU is slowed down",
        "{} is slowed down",
        "Heat or power supply hold the clocks down, beyond the normal power limit.",
        *_SICK,
    ),
    "gpu-fabric-not-ready": error(
        "NVLink fabric is not up",
        "run CUDA on {}",
        "On a host with NVSwitch, CUDA waits for the fabric manager.",
        depends_on=NO_GPU,
    ),
    "gpu-health-unknown": warning(
        "GPU does not tell its state",
        "part of the state of {} is not known",
        "The driver answered a question about the GPU's health with an error.",
        *_SICK,
    ),
    # modes
    "gpu-compute-mode": error(
        "Compute mode keeps processes out",
        "share {}",
        "The GPU's compute mode admits no process, or only one where several are wanted.",
        depends_on=NO_GPU,
    ),
    "gpu-persistence-off": warning(
        "Persistence mode is off",
        "{} forgets its state while idle",
        "Without persistence, each first use waits for the driver to set the GPU up again.",
        *NO_GPU,
    ),
    "gpu-ecc-off": info(
        "ECC is off",
        "{} does not correct memory errors",
        "The GPU could correct memory errors, and that is switched off.",
    ),
    "gpu-memory-unified": info(
        "Memory is the host's",
        "{} shares the host's memory",
        "Models, engine, system and page cache all live in one memory.",
    ),
    "gpu-left-over": warning(
        "Left-over process on the GPU",
        "{} is held by a left-over",
        "A process of a service of ours computes there, and its launcher is gone.",
        *NO_GPU,
    ),
    # a real kernel
    "cuda-smoke-failed": error(
        "CUDA does not work",
        "run a CUDA kernel on {}",
        "A small program that uses nothing but the driver could not compute.",
        depends_on=(
            *NO_GPU,
            "gpu-needs-recovery",
            "gpu-fabric-not-ready",
            "gpu-compute-mode",
        ),
        whole_host=True,
    ),
    "cuda-sandbox-fails": error(
        "CUDA does not work in the sandbox",
        "run a CUDA kernel on {} as the units would",
        "The same program computes outside the units' sandbox, and not inside it.",
        depends_on=("cuda-smoke-failed", "device-node-unusable"),
    ),
    "cuda-smoke-untried": warning(
        "CUDA was not tried",
        "CUDA was not tried on {}",
        "The smoke test could not be run, so it says neither good nor bad.",
        *NO_DRIVER,
    ),
}
