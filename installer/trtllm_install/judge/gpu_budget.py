"""How much memory a GPU has for us: its own, or a share of the host's where it has none."""

from dataclasses import dataclass
from typing import Final

from trtllm_install.model.facts import Gpu, GpuMemory, SystemFacts, Unknown

GIB: Final = 2**30
# What the system, the tool, the proxy and the engines' own Python need beside the models.
SYSTEM_RESERVE: Final = 8 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuBudget:
    """Memory of one GPU that instances of ours may be planned into, in bytes.

    ``free`` is what nobody else holds: what our own processes hold counts as free, for
    they are what is planned. 0 <= free <= total.
    """

    total: int
    free: int
    unified: bool  # the host's memory; CUDA counts its page cache as used until it is evicted
    reason: str  # where the figures come from, for people


def budget(gpu: Gpu, system: SystemFacts | Unknown) -> GpuBudget | Unknown:
    """Return the memory for us on ``gpu``, or why it cannot be said.

    A GPU of unified memory (GB10) has MemAvailable less ``SYSTEM_RESERVE``: page cache
    can be evicted for CUDA, which by itself counts it as used (unsloth PR 10704). A GPU
    that merely gives no answer is Unknown: never taken for one of unified memory.
    """
    if isinstance(gpu.memory, GpuMemory):
        held = sum(p.memory or 0 for p in gpu.processes if p.ours)
        total = max(gpu.memory.total, 0)
        return GpuBudget(
            total=total,
            free=min(max(gpu.memory.free, 0) + held, total),
            unified=False,
            reason="as the driver says",
        )
    if isinstance(gpu.memory, Unknown):
        return gpu.memory
    if not gpu.unified:
        return Unknown(reason="the driver does not support the question")
    if isinstance(system, Unknown):
        return system
    if not system.memory_total:
        return Unknown(reason="/proc/meminfo does not say how much memory the host has")
    held = sum(p.memory or 0 for p in gpu.processes if p.ours)
    total = max(system.memory_total - SYSTEM_RESERVE, 0)
    return GpuBudget(
        total=total,
        free=min(max(system.memory_available + held - SYSTEM_RESERVE, 0), total),
        unified=True,
        reason=f"unified memory: what the host has available, less {SYSTEM_RESERVE / GIB:g} GiB "
        "for the system",
    )
