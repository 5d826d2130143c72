"""Judges the GPU memory plan: what would not start, and what would do instead."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model.findings import Finding, found
from trtllm_install.model.memory import GpuPlan, MemoryPlan, Share

GIB: Final = 2**30


def check_memory_plan(plan: MemoryPlan) -> Iterator[Finding]:
    """Find instances that would not fit beside those that start before them."""
    for left_out in plan.unplanned:
        yield found("gpu-memory-unplanned", left_out.instance, what=left_out.reason)
    for gpu in plan.gpus:
        if not gpu.fits:
            yield _overcommitted(gpu, plan)
        elif not gpu.sound:
            yield _tight(gpu, plan)
        for share in gpu.shares:
            if not share.short and share.needs.kv_per_token and share.tokens < share.sequence:
                yield _context_short(share, plan)


def _overcommitted(gpu: GpuPlan, plan: MemoryPlan) -> Finding:
    short = next(s for s in gpu.shares if s.short)
    what = (
        f"{short.instance} would find {_gib(short.free_before)} free and needs "
        f"{_gib(short.needs.before)} before its KV cache; {_gib(short.short)} lack"
    )
    expected = "memory for every instance in start order"
    if gpu.short:
        what += f", and {_gib(gpu.short)} whatever the fractions are"
        expected = f"{_gib(gpu.short)} more, or fewer instances"
    return found(
        "gpu-memory-overcommitted",
        f"GPU {gpu.room.index}",
        what=what,
        expected=expected,
        remedy=_advice(plan),
    )


def _tight(gpu: GpuPlan, plan: MemoryPlan) -> Finding:
    tight = next(s for s in gpu.shares if s.tight)
    room = tight.needs.graphs - tight.tight
    return found(
        "gpu-memory-tight",
        f"GPU {gpu.room.index}",
        what=f"{tight.instance} leaves {_gib(room)} for its CUDA graphs",
        expected=f"{_gib(tight.needs.graphs)}, the most they take",
        remedy=_advice(plan),
    )


def _context_short(share: Share, plan: MemoryPlan) -> Finding:
    return found(
        "gpu-memory-context-short",
        share.instance,
        what=f"its KV cache holds {share.tokens:,} tokens",
        expected=f"max_seq_len, which is {share.sequence:,}",
        remedy=f"set instances.{share.instance}.max_seq_len to {share.tokens} in "
        f"/etc/trtllm/site.yaml, or give it more memory: {_advice(plan)}",
    )


def _advice(plan: MemoryPlan) -> str:
    """Return what would fit, as commands and lines of the site file."""
    if not plan.caps:
        return (
            "serve fewer instances here (--profile qwen), give each its own GPU under gpus in "
            "/etc/trtllm/site.yaml, or lower max_batch_size and max_seq_len there"
        )
    lines = ", ".join(
        f"instances.{name}.free_gpu_memory_fraction: {fraction:g}"
        for name, fraction in plan.fractions
    )
    return f"sudo trtllm-install install --pin-memory, or in /etc/trtllm/site.yaml {lines}"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
