"""The bars of the memory plan in colour, for a terminal that has some."""

from typing import Final

from rich.console import Console
from rich.text import Text

from trtllm_install.cli.memory_view import bar_runs, memory_lines
from trtllm_install.model.memory import MemoryPlan

_STYLES: Final = {
    "W": "black on blue",
    "R": "black on magenta",
    "S": "black on yellow",
    "K": "black on green",
    "G": "black on cyan",
    "h": "dim",
    ".": "dim",
    "x": "black on white",
}


def draw(plan: MemoryPlan, console: Console) -> None:
    """Print the plan; every letter stays where it is without colour (NO_COLOR is rich's)."""
    bars = iter(plan.gpus)
    for line in memory_lines(plan):
        if not line.startswith("["):
            console.print(Text(line), soft_wrap=True)
            continue
        text = Text("[")
        for letter, cells in bar_runs(next(bars)):
            text.append(letter * cells, style=_STYLES[letter])
        console.print(text.append("]"), soft_wrap=True)
