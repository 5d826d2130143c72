"""Judges the CUDA smoke test: does a kernel run, and does it run where the units will."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.facts import Facts, GpuFacts, SmokeFacts, Unknown
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

# Properties that an empty value lifts, and those with a word of their own; the rest is yes or no.
_LISTS: Final = frozenset(
    {"RestrictAddressFamilies", "SystemCallFilter", "SystemCallArchitectures", "BindReadOnlyPaths"}
)
_LIFTED: Final = {"DevicePolicy": "auto", "CapabilityBoundingSet": "~", "UMask": "0022"}
# cuGetErrorName -> what helps
_REMEDIES: Final = {
    "CUDA_ERROR_OUT_OF_MEMORY": "nvidia-smi shows who holds the memory: stop it, or try later",
    "CUDA_ERROR_SYSTEM_NOT_READY": "sudo systemctl enable --now nvidia-fabricmanager",
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "sudo reboot (library and kernel module differ)",
    "CUDA_ERROR_DEVICES_UNAVAILABLE": "nvidia-smi -q -d COMPUTE, and who computes there",
    "CUDA_ERROR_JIT_COMPILER_NOT_FOUND": "install the whole driver: libnvidia-ptxjitcompiler.so.1 "
    "lacks",
    "CUDA_ERROR_NO_DEVICE": "sudo modprobe nvidia-uvm && sudo nvidia-modprobe -u -c 0, "
    "then ls -l /dev/nvidia*",
    "CUDA_ERROR_UNKNOWN": "sudo modprobe nvidia-uvm && sudo nvidia-modprobe -u -c 0, then again; "
    "else sudo reboot",
    "libcuda.so.1": "install the compute part of the driver (Debian: libcuda1, Ubuntu: "
    "libnvidia-compute-580)",
}


def check_smoke(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find GPUs on which CUDA does not compute; nothing where it was not asked for."""
    smoke = facts.smoke
    if isinstance(smoke, Unknown):
        yield _untried("this host", smoke.reason)
    if not isinstance(smoke, SmokeFacts):
        return
    if smoke.outside.failed:
        yield found(
            "cuda-smoke-failed",
            _subject(facts, smoke.outside),
            what=_told(smoke.outside),
            expected="the right result from a small kernel",
            remedy=_remedy(smoke.outside),
        )
    elif isinstance(smoke.inside, Unknown):
        yield _untried("this host as the units would run it", smoke.inside.reason)
    elif smoke.inside and smoke.inside.failed:
        named = " and ".join(smoke.breaks)
        yield found(
            "cuda-sandbox-fails",
            _subject(facts, smoke.inside),
            what=f"{_told(smoke.inside)}; it passes "
            + (f"without {named}" if named else "outside the sandbox"),
            expected="the same inside and outside the sandbox",
            remedy=_without(smoke.breaks, installation)
            if smoke.breaks
            else "trtllm-install check --smoke once more, and report it with this text",
        )


def _untried(subject: str, reason: str) -> Finding:
    return found(
        "cuda-smoke-untried",
        subject,
        what=reason,
        expected="a small kernel and its result",
        remedy="sudo trtllm-install check --smoke",
    )


def _without(breaks: tuple[str, ...], installation: Installation) -> str:
    """Return how the operator lifts properties: in a drop-in, which is theirs and stays."""
    if any(b.startswith("User=") for b in breaks):
        return "ls -l /dev/nvidia* (the service user has to be able to read and write them)"
    lines = ", ".join(_lifted(b.partition("=")[0]) for b in breaks)
    units = " ".join(layout.unit(instance.name) for instance in installation.instances)
    return f"sudo systemctl edit {units}, and under [Service] write: {lines}"


def _lifted(key: str) -> str:
    """Return a key with the value that forbids nothing."""
    if key.startswith("Limit"):
        return f"{key}=infinity"
    if key in _LISTS:
        return f"{key}="
    return f"{key}={_LIFTED.get(key, 'no')}"


def _subject(facts: Facts, run: SmokeRun) -> str:
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    return next((f"GPU {g.index}" for g in gpus if g.uuid == run.gpu), "this host")


def _told(run: SmokeRun) -> str:
    if run.step and run.detail:
        return f"{run.step}: {run.detail}"
    return run.step or run.detail


def _remedy(run: SmokeRun) -> str:
    for word, remedy in _REMEDIES.items():
        if word in run.detail:
            return remedy
    return "nvidia-smi, and sudo journalctl -k -b | grep -i -e xid -e nvrm"
