"""What ``trtllm-supervise`` ends with; published, and told to both supervisors."""

from typing import Final

REQUESTED: Final = 0
USAGE: Final = 64
WEIGHTS: Final = 66
CRASH: Final = 70
OS_ERROR: Final = 71
TEMPORARY: Final = 75
PERMISSION: Final = 77
CONFIGURATION: Final = 78
OOM_LOADING: Final = 80
OOM_SERVING: Final = 81
HANG: Final = 82
GPU_RESET: Final = 83
REBOOT: Final = 84

MEANING: Final = {
    REQUESTED: "a stop that was asked for",
    USAGE: "the launcher was called wrongly",
    WEIGHTS: "weights are missing or damaged",
    CRASH: "the process crashed, or ended for a reason that is not known",
    OS_ERROR: "the operating system refused something",
    TEMPORARY: "something is in the way for now: the port, memory",
    PERMISSION: "a file or a device may not be used",
    CONFIGURATION: "configuration that the process refuses, or a crash that repeats itself",
    OOM_LOADING: "out of memory while loading, also after one retry",
    OOM_SERVING: "out of memory while serving",
    HANG: "the process lived and made no progress",
    GPU_RESET: "a GPU needs a reset",
    REBOOT: "the host needs a reboot, or a process cannot be killed",
}

# Starting again would end the same way; somebody has to act first.
NO_RESTART: Final = (
    USAGE,
    WEIGHTS,
    PERMISSION,
    CONFIGURATION,
    OOM_LOADING,
    GPU_RESET,
    REBOOT,
)


def is_restarted(code: int) -> bool:
    """Tell whether the supervisor is to start the service again after ``code``."""
    return code != REQUESTED and code not in NO_RESTART
