"""Judges the NVIDIA driver."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model.facts import DriverFault, DriverProblem, Facts, GpuFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

OLDEST: Final = 580  # CUDA 13 needs R580 (NVIDIA's CUDA compatibility table)
_NEWEST_HELP: Final = (
    f"install NVIDIA driver {OLDEST} or newer from your distribution and reboot; "
    "on a host without a GPU add --simulate"
)

# fault -> code, what was expected, remedy
_FAULTS: Final[dict[DriverFault, tuple[str, str, str]]] = {
    "library-missing": ("driver-missing", "libnvidia-ml.so.1", _NEWEST_HELP),
    "not-loaded": (
        "driver-not-loaded",
        "a loaded kernel module",
        "sudo modprobe nvidia (if it is refused: sudo dmesg | grep -i nvidia, and Secure Boot)",
    ),
    "mismatch": (
        "driver-library-mismatch",
        "one version of library and kernel module",
        "sudo reboot (then keep unattended upgrades away: sudo apt-mark hold 'nvidia-*')",
    ),
    "no-permission": (
        "driver-no-permission",
        "device nodes that this user may open",
        "ls -l /dev/nvidia* (and run again with sudo)",
    ),
    "gpu-lost": (
        "gpu-lost",
        "a GPU that answers",
        "sudo journalctl -k -b | grep -i xid, then sudo reboot",
    ),
    "timeout": (
        "nvml-timeout",
        "an answer",
        "sudo journalctl -k -b | grep -i xid, then sudo reboot",
    ),
    "failed": (
        "driver-failed",
        "an answer",
        "nvidia-smi (it shows the same error with more words)",
    ),
}


def check_driver(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find a driver that is missing, broken or too old."""
    match facts.gpu:
        case DriverProblem(fault=fault, detail=detail, kernel_module=module):
            code, expected, remedy = _FAULTS[fault]
            what = f"{detail} (the loaded kernel module is {module})" if module else detail
            subject = "a GPU of this host" if fault == "gpu-lost" else "this host"
            yield found(code, subject, what=what, expected=expected, remedy=remedy)
        case GpuFacts(simulated=False, driver=version):
            major = version.partition(".")[0]
            if not major.isdecimal() or int(major[:9]) < OLDEST:
                yield found(
                    "driver-too-old",
                    "this host",
                    what=f"driver {version}",
                    expected=f"{OLDEST} or newer",
                    remedy=_NEWEST_HELP,
                )
