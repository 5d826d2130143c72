"""What a load says of itself, with the simulated engine and weights that are really read."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.big_weights import write_big_checkpoint
from fakes.launcher_room import Room
from fakes.simulated_engine import NEMOTRON, QWEN

LOAD = "load_seconds=6,read_all"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def statuses(room: Room) -> list[str]:
    """Every word that the supervisor was told."""
    lines = (line for message in room.heard for line in message.split("\n"))
    return [line.removeprefix("STATUS=") for line in lines if line.startswith("STATUS=")]


def test_a_load_says_how_far_it_is_and_how_long_it_will_take(room: Room) -> None:
    weights = write_big_checkpoint(room.folder, QWEN, 200 << 20)
    room.write_simulated("qwen", weights, faults=LOAD)
    qwen = room.start("qwen")
    state = qwen.await_state("healthy")
    said = "\n".join(statuses(room))
    assert re.search(
        r"^loading weights \d+ %, \d+ of 200 MiB(, \d+ MiB/s)?, about \d+ s left$",
        said,
        re.MULTILINE,
    )
    assert "compiling kernels" in said
    assert re.search(r"^warming up, CUDA graph [1-4] of 4, ", said, re.MULTILINE)
    assert 200 << 20 <= state["progress"]["bytes_read"] < 300 << 20
    assert state["progress"]["weights_done"] is True
    phases = [phase["phase"] for phase in room.read_starts("qwen")[-1]["phases"]]
    assert phases == ["waiting", "admission", "start", "weights", "compile", "warm-up", "gate"]
    usual = state["load_seconds"]
    assert usual >= 6
    qwen.stop()

    again = room.start("qwen")
    loading = again.await_state("loading")
    assert loading["load_seconds"] == usual
    expected = again.await_status("loading weights") and again.state["expected_at"]
    assert abs(expected - loading["started_at"] - usual) < 5


def test_who_waits_says_for_how_long(room: Room) -> None:
    weights = write_big_checkpoint(room.folder, QWEN, 200 << 20)
    room.write_simulated("qwen", weights, faults=LOAD)
    room.write_spec("nemotron", after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (not started)")
    room.start("qwen")
    assert re.fullmatch(
        r"waiting for qwen \(loading, about \d+ s\)", nemotron.await_status("(loading, about")
    )


def test_a_load_that_stalls_in_the_middle_of_its_progress_bar_is_a_hang(room: Room) -> None:
    weights = write_big_checkpoint(room.folder, NEMOTRON, 4 << 20)
    faults = "load_seconds=1,stall_at=37"
    room.write_simulated("nemotron", weights, faults=faults, no_progress_s=2)
    nemotron = room.start("nemotron")
    assert nemotron.await_exit() == 82
    assert re.search(
        r"no progress for .* while loading, last line: \[simulated\] Loading weights:  37%",
        nemotron.state["exit"]["reason"],
    )
