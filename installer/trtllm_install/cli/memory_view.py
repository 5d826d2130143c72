"""The GPU memory plan as a bar of cells and as lines; drawing it is left to whoever has a pen."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from trtllm_install.cli.present import counted
from trtllm_install.model.memory import GpuPlan, MemoryPlan, Share
from trtllm_install.plan.memory.advice import HEADROOM

GIB: Final = 2**30
CELLS: Final = 76  # of a bar in 80 columns
# Letter -> what it stands for. Letters carry the meaning; colour only repeats it.
LEGEND: Final = {
    "W": "weights",
    "R": "runtime",
    "S": "state",
    "K": "cache",
    "G": "graphs",
    "h": "headroom",
    ".": "free",
    "x": "others",
}


def bar_cells(gpu: GpuPlan, cells: int = CELLS) -> str:
    """Return one letter for each cell, the GPU's memory from left to right.

    What is there has a cell of its own, however little it is; what does not fit has none.
    """
    bar, sum_so_far = "", 0
    for _, letter, size in gpu_parts(gpu):
        if size > 0:
            sum_so_far += size
            end = min(cells, cells * sum_so_far // max(1, gpu.room.total))
            bar += letter * max(1, end - len(bar))
    return bar[:cells].ljust(cells, bar[-1:] or " ")


def gpu_parts(gpu: GpuPlan) -> Iterator[tuple[str, str, int]]:
    """Yield whose, which letter and how many bytes, from the first taken to the last."""
    for share in gpu.shares:
        yield from ((share.instance, letter, size) for letter, size in _parts(share))
    headroom = min(gpu.left, HEADROOM)
    yield "", "h", headroom
    yield "", ".", gpu.left - headroom
    yield "", "x", gpu.room.total - gpu.room.free


def _parts(share: Share) -> list[tuple[str, int]]:
    """Return the parts in the order in which they are taken."""
    needs = share.needs
    return [
        ("W", needs.weights),
        ("R", needs.context + needs.workspace),
        ("S", needs.state),
        ("K", share.kv),
        ("G", needs.graphs),
    ]


def bar_runs(gpu: GpuPlan) -> Iterator[tuple[str, int]]:
    """Yield each letter of the bar with how many cells it has, for a pen with colours."""
    for letter, run in groupby(bar_cells(gpu)):
        yield letter, len(list(run))


def memory_lines(plan: MemoryPlan) -> Iterator[str]:
    """Yield the whole plan as lines of 80 columns at most; bars are ``[`` letters ``]``."""
    for gpu in plan.gpus:
        room = gpu.room
        kind = " unified" if room.unified else ""
        total, ours = _gib(room.total), _gib(room.free)
        yield f"GPU {room.index}  {room.name}  {total}{kind}, {ours} for us"
        yield f"[{bar_cells(gpu)}]"
        for number, share in enumerate(gpu.shares, start=1):
            yield from _share_lines(number, share)
        yield ""
    used = {letter for gpu in plan.gpus for letter in bar_cells(gpu)}
    if used:
        yield "  ".join(f"{letter} {word}" for letter, word in LEGEND.items() if letter in used)
        yield "Weights, state and KV cache are exact; runtime and graphs are upper bounds."
    for left_out in plan.unplanned:
        yield f"{left_out.instance} is not planned: {left_out.reason}"
    yield from _verdict(plan)


def _share_lines(number: int, share: Share) -> Iterator[str]:
    needs = share.needs
    yield f"{number}. {share.instance}"
    sizes = [
        ("weights", needs.weights),
        ("runtime", needs.context + needs.workspace),
        ("state", needs.state),
        ("KV cache", share.kv),
        ("graphs", needs.graphs),
    ]
    yield "   " + ", ".join(f"{word} {size / GIB:.1f}" for word, size in sizes if size) + " GiB"
    if share.short:
        yield f"   finds {_gib(share.free_before)} free when it starts; {_gib(share.short)} lack"
        return
    if not needs.kv_per_token:
        return
    after = share.free_before - needs.before
    if share.cap is not None and share.cap * needs.kv_per_token <= after * share.fraction:
        yield f"   KV cache is capped at max_tokens {share.cap:,}"
    else:
        yield f"   KV cache is {share.fraction:g} of the {_gib(after)} free once it is loaded"
    full = f"{share.sequences} of {share.slots} sequences of {share.sequence:,} at once"
    yield f"   {share.tokens:,} tokens: {full}" if share.sequence else f"   {share.tokens:,} tokens"


def _verdict(plan: MemoryPlan) -> Iterator[str]:
    simulated = " (simulated GPUs)" if plan.simulated else ""
    for gpu in plan.gpus:
        name = f"GPU {gpu.room.index}"
        if gpu.short:
            yield f"{name} cannot hold them: {_gib(gpu.short)} lack, whatever the fractions are"
        elif not gpu.fits:
            yield f"{name} cannot hold them with these fractions"
        elif not gpu.sound:
            yield f"{name} holds them, and may have too little left for CUDA graphs"
        else:
            yield f"{name} holds them{simulated}: {_gib(gpu.left)} stay free"
    if plan.pinned:
        yield "Pinned: the same shares in every start order (--unpin-memory takes it back)"
    elif plan.caps:
        yield "The same shares in every start order: sudo trtllm-install --pin-memory"
        yield "   max_tokens " + ", ".join(f"{c.instance} {c.max_tokens:,}" for c in plan.caps)
        if not plan.sound:
            fractions = ", ".join(f"{name} {part:g}" for name, part in plan.fractions)
            yield f"   or free_gpu_memory_fraction {fractions}"
    if not plan.gpus:
        yield f"no GPU to plan for: {counted(len(plan.unplanned), 'instance')} left out"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def memory_values(plan: MemoryPlan) -> dict[str, object]:
    """Return the plan for JSON; sizes are bytes."""
    order = dict(plan.fractions)
    return {
        "simulated": plan.simulated,
        "pinned": plan.pinned,
        "fits": plan.fits,
        "gpus": [_gpu_values(gpu) for gpu in plan.gpus],
        "unplanned": [{"name": u.instance, "reason": u.reason} for u in plan.unplanned],
        "advice": [
            {
                "name": c.instance,
                "max_tokens": c.max_tokens,
                "free_gpu_memory_fraction": c.fraction,
                "fraction_in_order": order.get(c.instance),
            }
            for c in plan.caps
        ],
    }


def _gpu_values(gpu: GpuPlan) -> dict[str, object]:
    return {
        "index": gpu.room.index,
        "name": gpu.room.name,
        "total": gpu.room.total,
        "free": gpu.room.free,
        "unified": gpu.room.unified,
        "left": gpu.left,
        "lacking": gpu.short,
        "fits": gpu.fits,
        "instances": [_share_values(share) for share in gpu.shares],
    }


def _share_values(share: Share) -> dict[str, object]:
    needs = share.needs
    return {
        "name": share.instance,
        "weights": needs.weights,
        "context": needs.context,
        "workspace": needs.workspace,
        "state": needs.state,
        "graphs": needs.graphs,
        "kv_cache": share.kv,
        "kv_bytes_per_token": needs.kv_per_token,
        "state_bytes_per_slot": needs.state_per_slot,
        "free_before": share.free_before,
        "free_gpu_memory_fraction": share.fraction,
        "max_tokens": share.cap,
        "tokens": share.tokens,
        "sequences": share.sequences,
        "sequence_tokens": share.sequence,
        "max_batch_size": share.slots,
        "lacking": share.short,
        "lacking_for_graphs": share.tight,
    }
