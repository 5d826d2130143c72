"""The GPU memory plan as a picture: a bar for each GPU, what each model takes of it."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.cli.memory_view import GIB, LEGEND, gpu_parts
from trtllm_install.cli.picture import WIDTH, block, legend, picture, words
from trtllm_install.model.memory import GpuPlan, MemoryPlan, Share

_MARGIN: Final = 16
_BAR: Final = WIDTH - 2 * _MARGIN
_GPU: Final = 62  # height of a GPU's name and bar
_WIDE: Final = 9  # a letter of a name, at most
_SHARE: Final = 20  # height of the line of an instance


def memory_svg(plan: MemoryPlan) -> str:
    """Return the picture; sizes are in words as well as in lengths."""
    parts: list[str] = []
    y = 28.0
    for gpu in plan.gpus:
        parts += _gpu(gpu, y)
        y += _GPU + _SHARE * len(gpu.shares) + 12
    parts += legend(y, LEGEND.values())
    y += 24
    for left_out in plan.unplanned:
        parts.append(words(_MARGIN, y, f"{left_out.instance} is not planned: {left_out.reason}"))
        y += _SHARE
    simulated = ", simulated GPUs" if plan.simulated else ""
    return picture(f"GPU memory plan{simulated}", y, parts)


def _gpu(gpu: GpuPlan, y: float) -> Iterator[str]:
    room = gpu.room
    lacks = "" if gpu.fits else f", {max(gpu.short, _lacking(gpu)) / GIB:.1f} GiB lack"
    name = f"GPU {room.index}: {room.name}, {room.total / GIB:.1f} GiB{lacks}"
    yield words(_MARGIN, y, name, "bad" if lacks else "ink")
    x, end = float(_MARGIN), float(_MARGIN + _BAR)
    for owner, letter, size in gpu_parts(gpu):
        width = _BAR * size / max(1, room.total)
        if size > 0 and x < end:
            told = f"{owner + ': ' if owner else ''}{LEGEND[letter]} {size / GIB:.1f} GiB"
            yield block(x, y + 10, min(width, end - x), 28, LEGEND[letter], told)
            if letter == "W" and width > _WIDE * len(owner):
                yield words(x + 5, y + 29, owner, "label")
        x += width
    for number, share in enumerate(gpu.shares):
        yield words(
            _MARGIN, y + _GPU + _SHARE * number, _share(share), "bad" if share.short else "ink"
        )


def _lacking(gpu: GpuPlan) -> int:
    return max((share.short for share in gpu.shares), default=0)


def _share(share: Share) -> str:
    if share.short:
        return f"{share.instance}: {share.short / GIB:.1f} GiB lack when it starts"
    full = f", {share.sequences} of {share.slots} sequences of {share.sequence:,}"
    return (
        f"{share.instance}: weights {share.needs.weights / GIB:.1f} GiB, "
        f"KV cache {share.kv / GIB:.1f} GiB, {share.tokens:,} tokens"
        f"{full if share.sequence else ''}"
    )
