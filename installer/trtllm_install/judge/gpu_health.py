"""Judges the state of the GPUs that are used: modes, memory faults, links, clocks."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.judge.gpu_budget import GIB, GpuBudget, budget
from trtllm_install.judge.gpus import gpus_of, used_gpus
from trtllm_install.model.facts import Facts, Gpu, GpuFacts, Unknown
from trtllm_install.model.facts.gpu import Fabric, Recovery
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

_SECOND_STEP: Final = "; if it comes back, have the GPU inspected"
# the driver's verdict -> what it says, what to do
_RECOVERY: Final[dict[Recovery, tuple[str, str]]] = {
    "reset": ("a reset of the GPU", "sudo reboot (it resets the GPU)" + _SECOND_STEP),
    "reboot": ("a reboot of the host", "sudo reboot" + _SECOND_STEP),
    "drain": ("its peers to be drained", "stop what uses this GPU, then sudo reboot"),
    "drain-and-reset": (
        "its work to be drained, then a reset",
        "stop what uses this GPU, then sudo reboot" + _SECOND_STEP,
    ),
    "fabric": (
        "its NVLink domain to be recovered",
        "sudo systemctl restart nvidia-imex, else sudo reboot",
    ),
    "other": ("a recovery that this version does not know", "nvidia-smi -q | grep -i recovery"),
}
_FABRIC: Final[dict[Fabric, str]] = {
    "not-started": "it has not begun to initialise",
    "in-progress": "it still initialises",
    "failed": "it ended with an error",
}


def check_gpu_modes(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find modes in which the instances cannot run, or run with less than the whole GPU."""
    for gpu in used_gpus(facts, installation):
        subject, health = f"GPU {gpu.index}", gpu.health
        yield from _mig(gpu, subject)
        sharing = [i.name for i in installation.instances if gpu in gpus_of(facts, i)]
        exclusive = health.compute_mode == "exclusive" and len(sharing) > 1
        if health.compute_mode == "prohibited" or exclusive:
            yield found(
                "gpu-compute-mode",
                subject,
                what=f"one process at a time, and {', '.join(sharing)} share it"
                if exclusive
                else "its compute mode lets no process compute",
                expected="compute mode Default",
                remedy=f"sudo nvidia-smi -c 0 -i {gpu.index}",
            )
        if health.persistence is False:
            yield found(
                "gpu-persistence-off",
                subject,
                what="persistence mode is off",
                expected="the driver state kept while nothing runs",
                remedy="sudo systemctl enable --now nvidia-persistenced "
                f"(without it: sudo nvidia-smi -pm 1 -i {gpu.index}, until the next boot)",
            )
        if health.ecc is False:
            yield found(
                "gpu-ecc-off",
                subject,
                what="ECC is off",
                expected="on, which this GPU can",
                remedy=f"sudo nvidia-smi -e 1 -i {gpu.index}, then sudo reboot",
            )


def check_gpu_faults(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find what the hardware itself complains of, and what it would not tell."""
    for gpu in used_gpus(facts, installation):
        subject, health = f"GPU {gpu.index}", gpu.health
        if health.recovery is not None and health.recovery != "none":
            verdict, remedy = _RECOVERY[health.recovery]
            yield found(
                "gpu-needs-recovery",
                subject,
                what=f"the driver wants {verdict}",
                expected="no recovery action",
                remedy=remedy,
            )
        yield from _memory_faults(gpu, subject)
        if health.slowed_by:
            yield found(
                "gpu-slowed",
                subject,
                what=f"the clocks are held down: {', '.join(health.slowed_by)}",
                expected="clocks that nothing but load and power limit set",
                remedy="check fans, air flow and power supply; "
                f"nvidia-smi -q -d PERFORMANCE,TEMPERATURE -i {gpu.index}",
            )
        if gpu.unread:
            yield found(
                "gpu-health-unknown",
                subject,
                what=_unread(gpu),
                expected="an answer, or that the GPU does not have it",
                remedy=f"nvidia-smi -q -i {gpu.index} (it asks the same)",
            )


def _unread(gpu: Gpu) -> str:
    """Return each error with everything that was answered by it."""
    asked: dict[str, list[str]] = {}
    for name, why in gpu.unread:
        asked.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in asked.items())


def check_fabric(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find an NVLink fabric that is not up, where there is one."""
    driver = facts.gpu.driver if isinstance(facts.gpu, GpuFacts) else ""
    switches = facts.platform.switches if facts.platform else 0
    for gpu in used_gpus(facts, installation):
        state = gpu.health.fabric
        # Without NVSwitch the fabric never starts, and nothing is missed. The other way round
        # says nothing: two H200 in a virtual machine had no switch on the bus, and a fabric.
        if state is None or state == "completed" or (state == "not-started" and not switches):
            continue
        yield found(
            "gpu-fabric-not-ready",
            f"GPU {gpu.index}",
            what=f"NVLink fabric: {_FABRIC[state]}",
            expected="a fabric that is up (CUDA ends with error 802 until then)",
            remedy="sudo systemctl enable --now nvidia-fabricmanager (of the driver's own version, "
            f"{driver}; sudo journalctl -b -u nvidia-fabricmanager says what keeps it)",
        )


def check_gpu_memory_known(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find memory that cannot be read, and say what unified memory leaves for models."""
    for gpu in used_gpus(facts, installation):
        if isinstance(gpu.memory, Unknown) or (gpu.memory is None and not gpu.unified):
            reason = gpu.memory.reason if gpu.memory else "the driver does not support the question"
            yield found(
                "gpu-memory-unknown",
                f"GPU {gpu.index}",
                what=reason,
                expected="bytes, or unified memory of a known GPU",
                remedy=f"nvidia-smi -q -d MEMORY -i {gpu.index}",
            )
        known = budget(gpu, facts.system)
        if isinstance(known, GpuBudget) and known.unified:
            yield found(
                "gpu-memory-unified",
                f"GPU {gpu.index}",
                what=f"{known.free / GIB:.1f} of {known.total / GIB:.1f} GiB are free for models; "
                "CUDA counts page cache as used until it is evicted",
            )


def _mig(gpu: Gpu, subject: str) -> Iterator[Finding]:
    if gpu.mig_pending != gpu.mig:
        word = "on" if gpu.mig_pending else "off"
        yield found(
            "mig-pending",
            subject,
            what=f"MIG is to be {word} after the next reset",
            expected="a mode that is in force",
            remedy=f"sudo reboot (or undo it: sudo nvidia-smi -mig {int(gpu.mig)} -i {gpu.index})",
        )
    elif gpu.mig:
        yield found(
            "mig-enabled",
            subject,
            what="an instance sees one slice at most",
            expected="a whole GPU, or MIG UUIDs",
            remedy="nvidia-smi -L, then MIG-… under gpus in /etc/trtllm/site.yaml",
        )


def _memory_faults(gpu: Gpu, subject: str) -> Iterator[Finding]:
    health = gpu.health
    if health.remap_failed:
        yield found(
            "gpu-remap-failed",
            subject,
            what="a bad row of its memory could not be replaced",
            expected="spare rows",
            remedy="have the GPU replaced: NVIDIA's field diagnostic confirms it",
        )
    if health.remap_pending or health.pages_pending:
        yield found(
            "gpu-remap-pending",
            subject,
            what="a bad part of its memory is replaced with the next reset",
            expected="memory without pending repairs",
            # Not nvidia-smi --gpu-reset: seen to leave the node worse
            # (awsome-distributed-ai issue 1190).
            remedy="sudo reboot at the next quiet moment",
        )
    if health.ecc_errors:
        ever = f", {health.ecc_errors_ever} ever" if health.ecc_errors_ever is not None else ""
        yield found(
            "gpu-ecc-errors",
            subject,
            what=f"{health.ecc_errors} uncorrected memory errors since the driver was loaded{ever}",
            expected="none",
            remedy="sudo reboot" + _SECOND_STEP + f" (nvidia-smi -q -d ECC -i {gpu.index})",
        )
