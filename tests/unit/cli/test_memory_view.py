"""The memory plan for people: a bar and lines that 80 columns hold, letters before colour."""

import io

from rich.console import Console

from fakes.models import planned
from trtllm_install.cli.memory_pen import draw
from trtllm_install.cli.memory_view import CELLS, bar_cells, bar_runs, memory_lines

GIB = 2**30


def test_the_bar_has_a_letter_for_each_part_in_the_order_it_is_taken() -> None:
    bar = bar_cells(planned().gpus[0])
    assert len(bar) == CELLS
    assert [letter for letter, _ in bar_runs(planned().gpus[0])] == list("WRKGh.")
    assert bar.count("W") == CELLS * 17 // 80


def test_what_others_hold_is_at_the_end() -> None:
    plan = planned()
    (gpu,) = plan.gpus
    room = type(gpu.room)(index=0, name="GPU", total=160 * GIB, free=80 * GIB)
    bar = bar_cells(type(gpu)(room=room, shares=gpu.shares, left=gpu.left, short=0))
    assert bar.endswith("x" * (CELLS // 2 - 2))


def test_lines_say_what_the_fraction_comes_to() -> None:
    text = "\n".join(memory_lines(planned()))
    assert "KV cache is 0.9 of the 59.0 GiB free once it is loaded" in text
    assert "4 of 4 sequences of 32,768 at once" in text
    assert "GPU 0 holds them" in text
    assert "install --pin-memory" in text


def test_a_plan_that_does_not_hold_says_how_much_lacks() -> None:
    text = "\n".join(memory_lines(planned(16 * GIB)))
    assert "lack" in text
    assert "whatever the fractions are" in text


def test_colour_changes_no_letter() -> None:
    drawn = io.StringIO()
    draw(planned(), Console(file=drawn, force_terminal=True, width=80, no_color=True))
    plain = [line for line in drawn.getvalue().splitlines() if "[W" in line]
    assert bar_cells(planned().gpus[0]) in plain[0].replace("\x1b[2m", "").replace("\x1b[0m", "")
