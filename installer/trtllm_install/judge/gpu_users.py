"""Judges who else computes on the GPUs that are used."""

from collections.abc import Iterator, Sequence

from trtllm_install.judge.gpu_budget import GIB
from trtllm_install.judge.gpus import used_gpus
from trtllm_install.model.facts import Facts, GpuProcess
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation


def check_gpu_users(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find strangers' processes, and what our own services left behind."""
    for gpu in used_gpus(facts, installation):
        strangers = [p for p in gpu.processes if not p.ours]
        if strangers:
            yield found(
                "gpu-in-use",
                f"GPU {gpu.index}",
                what=_named(strangers),
                expected="no other process",
                remedy=_stop(strangers),
            )
        left = [p for p in gpu.processes if p.left_over]
        if left:
            pids = " ".join(str(p.pid) for p in left)
            yield found(
                "gpu-left-over",
                f"GPU {gpu.index}",
                what=f"{_named(left)}, left behind by a service of ours",
                expected="no process without its launcher",
                remedy=f"sudo kill -9 {pids} (the next start of the service ends them too)",
            )


def _named(processes: Sequence[GpuProcess]) -> str:
    return ", ".join(
        f"{p.name or 'a process'} (pid {p.pid}"
        + (f" of {p.unit}" if p.unit else "")
        + (f", {p.memory / GIB:.1f} GiB)" if p.memory is not None else ")")
        for p in processes
    )


def _stop(processes: Sequence[GpuProcess]) -> str:
    """Return what ends all of them. A session is a person at work, and not stopped as a whole."""
    units = dict.fromkeys(
        p.unit for p in processes if p.unit.endswith(".service") and not p.unit.startswith("user@")
    )
    others = [str(p.pid) for p in processes if p.unit not in units]
    deeds = [f"sudo systemctl stop {' '.join(units)}"] if units else []
    if others:
        whose = "it was" if len(others) == 1 else "they were"
        pids = " ".join(others)
        deeds.append(f"stop pid {', '.join(others)} where {whose} started (else sudo kill {pids})")
    return "; ".join(deeds)
