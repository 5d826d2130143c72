"""Judges the NVIDIA driver."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model.facts import DriverFault, DriverProblem, Facts, GpuFacts, Unknown
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

OLDEST: Final = 580  # CUDA 13 needs R580 (NVIDIA's CUDA compatibility table)
ENGINE_CUDA: Final = (13, 0)  # TensorRT-LLM 1.3.0rc2 is built on torch 2.9.1+cu130
_NEWEST_HELP: Final = (
    f"install NVIDIA driver {OLDEST} or newer from your distribution and reboot; "
    "on a host without a GPU add --simulate"
)
# The driver of a DGX is part of its system: another one was seen to break a DGX Spark (Olares
# PR 3512).
_NVIDIAS_HELP: Final = (
    "bring the system up to date with NVIDIA's own updates (sudo apt full-upgrade) and reboot; "
    "leave the driver to them"
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
        case DriverProblem(fault=fault):
            code, expected, remedy = _FAULTS[fault]
            yield found(
                code,
                "a GPU of this host" if fault == "gpu-lost" else "this host",
                what=_told(facts, facts.gpu),
                expected=expected,
                remedy=_NVIDIAS_HELP if remedy == _NEWEST_HELP and _is_nvidias(facts) else remedy,
            )
        case GpuFacts(simulated=False, driver=version, cuda=cuda):
            major = version.partition(".")[0]
            remedy = _NVIDIAS_HELP if _is_nvidias(facts) else _NEWEST_HELP
            if not major.isdecimal() or int(major[:9]) < OLDEST:
                yield found(
                    "driver-too-old",
                    "this host",
                    what=f"driver {version}, which speaks CUDA {_dotted(cuda)}",
                    expected=f"{OLDEST} or newer",
                    remedy=remedy,
                )
            elif cuda < ENGINE_CUDA:
                yield found(
                    "driver-cuda-too-old",
                    "this host",
                    what=f"driver {version} speaks CUDA {_dotted(cuda)}",
                    expected=f"CUDA {_dotted(ENGINE_CUDA)} or newer, which the engine is built for",
                    remedy="ldconfig -p | grep libcuda (a libcuda.so.1 of another driver or of a "
                    "cuda-compat package comes first: remove it)",
                )


def _told(facts: Facts, problem: DriverProblem) -> str:
    """Return what NVML said, with the two things that tell one cause from another."""
    parts = [problem.detail]
    if problem.kernel_module:
        parts.append(f"the loaded kernel module is {problem.kernel_module}")
    on_bus = facts.platform.on_bus if facts.platform else ()
    if on_bus and not isinstance(on_bus, Unknown):
        parts.append(f"NVIDIA GPUs on the PCI bus: {len(on_bus)}")
    return f"{parts[0]} ({', '.join(parts[1:])})" if parts[1:] else parts[0]


def _is_nvidias(facts: Facts) -> bool:
    """Tell whether the driver comes with the system: a DGX, or a GB10 by whatever name."""
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    return (
        (facts.host is not None and bool(facts.host.dgx))
        or (facts.platform is not None and facts.platform.spark)
        or any(g.name.endswith("GB10") for g in gpus)
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
